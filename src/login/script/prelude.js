// What login scripts may call is defined when one is first used: the engine is a fresh one for each login, and reading the
// definitions costs more than most logins take. `host` is the native side, `driver` how the run calls back.
(host, driver) => {
    "use strict";
    const later = (names, make) => {
        let made;
        const all = () => (made ??= make());
        for (const name of names) {
            const define = (value) =>
                Object.defineProperty(globalThis, name, { value, writable: true, enumerable: true });
            const get = () => (define(all()[name]), all()[name]);
            Object.defineProperty(globalThis, name, { get, set: define, configurable: true, enumerable: true });
        }
        return all;
    };
    later(["console", "say"], () => host.console()(host));
    const network = later(["fetch", "setTimeout", "clearTimeout"], () => host.network()(host, driver));
    later(["URL", "URLSearchParams", "TextEncoder", "TextDecoder"], () => host.web()(host, network().pairsOf));
}
