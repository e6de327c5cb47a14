//! The functions for scripts that are written in JavaScript. Every login has a fresh engine, and reading these sources
//! takes longer than most logins: each is read when a script first uses one of its names.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::object::{Accessor, Property};
use rquickjs::{Ctx, Function, Null, Object, Result, Undefined, Value};

use super::host;
use super::run::Run;

/// A JavaScript function of the native functions and the driver, which returns an object of what it defines.
struct Part {
    called: &'static str,
    source: &'static str,
    defines: &'static [&'static str],
}

const CONSOLE: Part = Part { called: "console", source: include_str!("console.js"), defines: &["console", "say"] };
const NETWORK: Part =
    Part { called: "network", source: include_str!("network.js"), defines: &["fetch", "setTimeout", "clearTimeout"] };
const WEB: Part = Part {
    called: "web",
    source: include_str!("web.js"),
    defines: &["URL", "URLSearchParams", "TextEncoder", "TextDecoder"],
};

/// Puts everything that scripts may call into the global scope; gives the object by which the run drives the script.
pub(super) fn install<'js>(ctx: &Ctx<'js>, run: &Rc<Run>) -> Result<Object<'js>> {
    let globals = ctx.globals();
    host::plain(&globals, run)?;
    // Classes run in strict mode, where an assignment to an undeclared name throws; scripts in use make these three.
    for habit in ["profile", "response", "result"] {
        globals.set(habit, Undefined)?;
    }
    // Without a prototype, which scripts may change.
    let driver = Object::new_proto(ctx.clone(), None)?;
    driver.set("provider", Null)?;
    // Taken before a script can replace it.
    driver.set("stringify", globals.get::<_, Object<'js>>("JSON")?.get::<_, Function<'js>>("stringify")?)?;
    define_parts(ctx, run, &driver)?;
    Ok(driver)
}

/// Defines the names of all parts in the global scope. The driver is kept where their getters find it and scripts do not:
/// a function of ours that held it would keep the engine from being freed.
fn define_parts<'js>(ctx: &Ctx<'js>, run: &Rc<Run>, driver: &Object<'js>) -> Result<()> {
    let globals = ctx.globals();
    ctx.store_userdata(driver.clone()).map_err(|_| rquickjs::Error::Unknown)?;
    for part in [&CONSOLE, &NETWORK, &WEB] {
        for name in part.defines {
            let run = run.clone();
            let get = move |ctx: Ctx<'js>| {
                let value: Value<'js> = read(&ctx, &run, part)?.get(*name)?;
                define(&ctx, name, value.clone())?;
                Ok::<_, rquickjs::Error>(value)
            };
            let set = move |ctx: Ctx<'js>, value: Value<'js>| define(&ctx, name, value);
            globals.prop(*name, Accessor::new(get, set).configurable().enumerable())?;
        }
    }
    Ok(())
}

/// Puts a plain value in the place of the getter.
fn define<'js>(ctx: &Ctx<'js>, name: &str, value: Value<'js>) -> Result<()> {
    ctx.globals().prop(name, Property::from(value).writable().enumerable())
}

/// What a part defines, once for each engine.
fn read<'js>(ctx: &Ctx<'js>, run: &Rc<Run>, part: &Part) -> Result<Object<'js>> {
    let driver = ctx.userdata::<Object<'js>>().ok_or(rquickjs::Error::Unknown)?.clone();
    if let Some(known) = driver.get(part.called)? {
        return Ok(known);
    }
    if part.called == WEB.called {
        // It needs the reader of pairs that the network part leaves with the driver.
        read(ctx, run, &NETWORK)?;
    }
    let host = match driver.get::<_, Option<Object<'js>>>("host")? {
        Some(host) => host,
        None => {
            let host = host::native(ctx, run)?;
            driver.set("host", host.clone())?;
            host
        }
    };
    let mut options = EvalOptions::default();
    options.filename = Some("prelude".to_owned());
    let source: Function<'js> = ctx.eval_with_options(part.source, options)?;
    let defined: Object<'js> = source.call((host, driver.clone()))?;
    driver.set(part.called, defined.clone())?;
    Ok(defined)
}
