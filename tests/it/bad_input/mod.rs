//! Invalid input: every parameter of every endpoint in every wrong way, and then generated requests. The response is
//! one from the specifications, and nothing is stored.

mod answer;
mod bodies;
mod endpoints;
mod fuzz;
mod grammar;
mod parameters;
mod spoilt;
mod words;
