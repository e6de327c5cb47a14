// The JavaScript side of what login scripts may call. The native side is handed over as `host`; what comes back is
// called from there when something that a script waits for has arrived.
(host) => {
    "use strict";
    const { stringify, parse } = JSON;
    const waiting = new Map();
    let last = 0;
    let web;

    const text = (value) => {
        if (typeof value === "string") return value;
        if (value instanceof Error) return `${value.name}: ${value.message}`;
        try {
            return stringify(value) ?? String(value);
        } catch {
            return String(value);
        }
    };
    const log = (level) => (...values) => host.log(level, values.map(text).join(" "));

    const pairsOf = (headers) => {
        if (headers === undefined || headers === null) return [];
        const pairs = typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);
        return pairs.map(([name, value]) => [String(name), String(value)]);
    };

    // The body as text, and the type that it has if the script names none.
    const bodyOf = (body) => {
        if (body === undefined || body === null) return [null, null];
        if (typeof body !== "object") return [String(body), "text/plain;charset=UTF-8"];
        if (body[Symbol.toStringTag] === "URLSearchParams") return [String(body), "application/x-www-form-urlencoded;charset=UTF-8"];
        if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) throw new TypeError("fetch: the body must be text");
        return [stringify(body), "application/json"];
    };

    const responseOf = (code, url, pairs, body) => {
        const headers = {};
        for (const [name, value] of pairs) headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
        const get = (name) => headers[String(name).toLowerCase()] ?? null;
        Object.defineProperty(headers, "get", { value: get });
        return { code, status: code, ok: true, url, headers, body, json: () => parse(body), text: () => body };
    };

    const fetch = (resource, options) => new Promise((resolve, reject) => {
        const { method = "GET", headers, body } = options ?? {};
        const pairs = pairsOf(headers);
        const [content, type] = bodyOf(body);
        if (type !== null && !pairs.some(([name]) => name.toLowerCase() === "content-type")) {
            pairs.push(["content-type", type]);
        }
        const id = ++last;
        host.fetch(id, String(resource), String(method).toUpperCase(), pairs, content);
        waiting.set(id, { resolve, reject });
    });

    const setTimeout = (callback, delay, ...values) => {
        if (typeof callback !== "function") throw new TypeError("setTimeout: the callback is not a function");
        const id = ++last;
        host.startTimer(id, Number(delay) || 0);
        waiting.set(id, () => callback(...values));
        return id;
    };
    const clearTimeout = (id) => {
        if (typeof waiting.get(id) === "function") {
            waiting.delete(id);
            host.stopTimer(id);
        }
    };

    const console = { log: log("info"), info: log("info"), debug: log("info"), warn: log("error"), error: log("error") };
    const crypto = { randomUUID: host.randomUUID };
    const { commit, md5, sha256, sha512, hmac, bcryptVerify, argon2Verify } = host;
    // Classes run in strict mode, where an assignment to an undeclared name throws; scripts in use make these three.
    const habits = { profile: undefined, response: undefined, result: undefined };
    Object.assign(globalThis, habits, {
        fetch, setTimeout, clearTimeout, console, say: console.log, crypto, commit,
        md5, sha256, sha512, hmac, bcryptVerify, argon2Verify,
    });
    // These cost more to define than most logins take, and few scripts want them.
    for (const name of ["URL", "URLSearchParams", "TextEncoder", "TextDecoder"]) {
        const define = (value) => Object.defineProperty(globalThis, name, { value, writable: true, enumerable: true });
        const get = () => {
            if (!web) web = host.web()(host, pairsOf);
            define(web[name]);
            return web[name];
        };
        Object.defineProperty(globalThis, name, { get, set: define, configurable: true, enumerable: true });
    }

    const take = (id) => {
        const waiter = waiting.get(id);
        waiting.delete(id);
        return waiter;
    };
    return {
        stringify,
        provider: null,
        ring: (id) => take(id)?.(),
        resolve: (id, ...response) => take(id)?.resolve(responseOf(...response)),
        reject: (id, message, code, body) => {
            const failure = new Error(message);
            if (code !== undefined) Object.assign(failure, { code, status: code, ok: false, body });
            // 500 is what some backends say to a wrong password.
            failure.unavailable = code === undefined || [502, 503, 504].includes(code);
            take(id)?.reject(failure);
        },
    };
}
