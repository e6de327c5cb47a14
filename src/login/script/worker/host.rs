//! The native functions that scripts may call. Those in JavaScript are in `parts.rs`.

use std::rc::Rc;

use rquickjs::convert::List;
use rquickjs::function::{Func, Rest};
use rquickjs::{Array, Coerced, Ctx, Exception, FromJs, Function, Object, Result, TypedArray, Value};

use super::run::Run;
use crate::login::script::digest;
use crate::login::script::wire::{Arrival, Request};
use crate::random::{Random, SystemRandom};

/// An argument that is converted to text.
type Text = Coerced<String>;
/// A name and a value, in JavaScript an array of two.
type Pair = List<(String, String)>;

/// The most bytes of a text to parse, and of all texts in a list of pairs. The engine's limit does not count our copies: a
/// hundred thousand pairs may all hold the same big text.
const MAX_TEXT: usize = 1 << 20;

/// So many bytes a computation may need without asking for them.
const FEW: u64 = 4 << 20;

/// Pairs from JavaScript.
struct Pairs(Vec<(String, String)>);

impl<'js> FromJs<'js> for Pairs {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        let mut pairs = Vec::new();
        let mut bytes = 0;
        for pair in Array::from_js(ctx, value)?.iter() {
            let List((name, value)): Pair = pair?;
            bytes += size_of::<(String, String)>() + name.len() + value.len();
            bounded(ctx, bytes)?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }
}

fn bounded(ctx: &Ctx<'_>, bytes: usize) -> Result<()> {
    if bytes > MAX_TEXT {
        return Err(Exception::throw_range(ctx, "this is more than a login script may take apart or put together"));
    }
    Ok(())
}

/// Puts the functions that need no JavaScript of ours into the global scope.
pub(super) fn plain<'js>(globals: &Object<'js>, run: &Rc<Run>) -> Result<()> {
    let this = run.clone();
    globals.set("commit", Func::from(move |values: Rest<Value<'js>>| this.commit(&values.0)))?;
    globals.set("md5", Func::from(|text: Text| digest::md5(&text.0)))?;
    globals.set("sha256", Func::from(|text: Text| digest::sha256(&text.0)))?;
    globals.set("sha512", Func::from(|text: Text| digest::sha512(&text.0)))?;
    let hmac = |ctx: Ctx<'js>, algorithm: Text, key: Text, message: Text| {
        or_throw(&ctx, digest::hmac(&algorithm.0, &key.0, &message.0))
    };
    globals.set("hmac", Func::from(hmac))?;
    let bcrypt =
        |ctx: Ctx<'js>, password: Text, hash: Text| or_throw(&ctx, digest::bcrypt_verify(&password.0, &hash.0));
    globals.set("bcryptVerify", Func::from(bcrypt))?;
    let this = run.clone();
    let argon2 = move |ctx: Ctx<'js>, password: Text, hash: Text| {
        let bytes = or_throw(&ctx, digest::argon2_bytes(&hash.0))?;
        let verify = || digest::argon2_verify(&password.0, &hash.0);
        let verified = if bytes > FEW { this.computing(bytes, verify).and_then(|done| done) } else { verify() };
        or_throw(&ctx, verified)
    };
    globals.set("argon2Verify", Func::from(argon2))?;
    let crypto = Object::new(globals.ctx().clone())?;
    crypto.set("randomUUID", Func::from(random_uuid))?;
    globals.set("crypto", crypto)
}

/// The native functions that the JavaScript parts call.
pub(super) fn native<'js>(ctx: &Ctx<'js>, run: &Rc<Run>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let this = run.clone();
    host.set("log", Func::from(move |level: String, text: String| this.log(&level, &text)))?;
    let this = run.clone();
    host.set("stopTimer", Func::from(move |id: u32| this.stop_timer(id)))?;
    let this = run.clone();
    let start_timer = move |ctx: Ctx<'js>, id: u32, millis: f64| this.start_timer(&ctx, id, millis);
    host.set("startTimer", Func::from(start_timer))?;
    let this = run.clone();
    let fetch = move |ctx: Ctx<'js>, id: u32, url: String, method: String, Pairs(headers), body| {
        let body: Option<String> = body;
        bounded(&ctx, url.len() + method.len())?;
        bounded(&ctx, body.as_ref().map_or(0, String::len))?;
        this.fetch(&ctx, id, Request { url, method, headers, body })
    };
    host.set("fetch", Func::from(fetch))?;
    host.set("encode", Func::from(|ctx: Ctx<'js>, text: String| TypedArray::<u8>::new(ctx, text.into_bytes())))?;
    host.set("decode", Func::from(|bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned()))?;
    host.set("parseUrl", Func::from(parse_url))?;
    host.set("parseQuery", Func::from(parse_query))?;
    host.set("writeQuery", Func::from(write_query))?;
    Ok(host)
}

fn or_throw<T>(ctx: &Ctx<'_>, outcome: std::result::Result<T, String>) -> Result<T> {
    outcome.map_err(|message| Exception::throw_message(ctx, &message))
}

fn random_uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The members of the URL interface by name.
fn parse_url(ctx: Ctx<'_>, text: String, base: Option<String>) -> Result<Vec<List<(&'static str, String)>>> {
    bounded(&ctx, text.len() + base.as_ref().map_or(0, String::len))?;
    let parsed = match base {
        Some(base) => url::Url::parse(&base).and_then(|base| base.join(&text)),
        None => url::Url::parse(&text),
    };
    let url = parsed.map_err(|error| Exception::throw_type(&ctx, &format!("URL: {error}")))?;
    use url::quirks;
    let members = [
        ("href", quirks::href(&url).to_owned()),
        ("origin", quirks::origin(&url)),
        ("protocol", quirks::protocol(&url).to_owned()),
        ("username", quirks::username(&url).to_owned()),
        ("password", quirks::password(&url).to_owned()),
        ("host", quirks::host(&url).to_owned()),
        ("hostname", quirks::hostname(&url).to_owned()),
        ("port", quirks::port(&url).to_owned()),
        ("pathname", quirks::pathname(&url).to_owned()),
        ("search", quirks::search(&url).to_owned()),
        ("hash", quirks::hash(&url).to_owned()),
    ];
    Ok(members.into_iter().map(List).collect())
}

fn parse_query(ctx: Ctx<'_>, text: String) -> Result<Vec<Pair>> {
    bounded(&ctx, text.len())?;
    let query = text.strip_prefix('?').unwrap_or(&text);
    Ok(form_urlencoded::parse(query.as_bytes()).into_owned().map(List).collect())
}

fn write_query(Pairs(pairs): Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Hands to the script what it waited for.
pub(super) fn deliver(driver: &Object<'_>, arrival: Arrival) -> Result<()> {
    let call = |name: &str| driver.get::<_, Function<'_>>(name);
    match arrival {
        Arrival::Timer(id) => call("ring")?.call((id,)),
        Arrival::Fetch(id, Ok(response)) => {
            let headers: Vec<Pair> = response.headers.into_iter().map(List).collect();
            call("resolve")?.call((id, response.code, response.url, headers, response.body))
        }
        Arrival::Fetch(id, Err(failure)) => {
            let (code, body) = failure.answer.unzip();
            call("reject")?.call((id, failure.message, code, body))
        }
    }
}
