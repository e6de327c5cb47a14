//! What templates may use. Everything that is here has a reason; what is not here does not exist, also if the engine gets
//! more with its next version.
//!
//! What is left out takes a width, a precision or a number of repetitions (`tojson`, `pprint`, `format`, `indent`, `round`),
//! makes many values of one (`split`, `lines`, `map`, `batch`, `slice`, `zip`, `chain`, `groupby`, `list`, `dict`,
//! `namespace`), shows more than a page should (`debug`, `attr`), or switches escaping off (`safe`).

use minijinja::{Environment, Error, ErrorKind, Value, filters, tests};

/// The most numbers that `range` counts.
const LONGEST_RANGE: i64 = 1000;

/// The filters, for `uitsmijter check`; [`equip`] has what they do.
pub(super) const FILTERS: [&str; 18] = [
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "replace",
    "length",
    "count",
    "join",
    "first",
    "last",
    "reverse",
    "sort",
    "default",
    "d",
    "urlencode",
    "escape",
    "e",
];
/// The tests after `is`.
pub(super) const TESTS: [&str; 19] = [
    "defined",
    "undefined",
    "none",
    "true",
    "false",
    "boolean",
    "string",
    "number",
    "odd",
    "even",
    "iterable",
    "sequence",
    "mapping",
    "startingwith",
    "endingwith",
    "eq",
    "equalto",
    "ne",
    "in",
];

/// Puts them into an environment that has none.
pub(super) fn equip(environment: &mut Environment<'_>) {
    // How a name, or the sentence around it, is written.
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("replace", filters::replace);
    // Lists: scopes, fields and sessions.
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("join", filters::join);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("sort", filters::sort);
    // What may be absent.
    environment.add_filter("default", filters::default);
    environment.add_filter("d", filters::default);
    // Values in links. Every value is escaped anyway; templates that say so keep working.
    environment.add_filter("urlencode", filters::urlencode);
    environment.add_filter("escape", filters::escape);
    environment.add_filter("e", filters::escape);
    equip_with_tests(environment);
    environment.add_function("range", range);
}

fn equip_with_tests(environment: &mut Environment<'_>) {
    // What may be absent, and what kind of value it is.
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", tests::is_number);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("mapping", tests::is_mapping);
    // Every other row.
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    // Which scope, which error.
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("in", tests::is_in);
}

/// The numbers from 0, or from the first, to before the last.
fn range(first: i64, end: Option<i64>) -> Result<Value, Error> {
    let (first, end) = end.map_or((0, first), |end| (first, end));
    match end.checked_sub(first) {
        Some(length) if length <= LONGEST_RANGE => Ok(Value::from_iter(first..end)),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "the range has too many numbers")),
    }
}
