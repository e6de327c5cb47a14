//! Who a client is, and how it proves that, as in `src/client`.

mod assertion;
