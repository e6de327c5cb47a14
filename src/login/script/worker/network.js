// Requests to backends and timers. The native side is `host`; `driver` is how the run hands over what the script waited for.
(host, driver) => {
    "use strict";
    const { stringify, parse } = JSON;
    const waiting = new Map();
    let last = 0;

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

    const take = (id) => {
        const waiter = waiting.get(id);
        waiting.delete(id);
        return waiter;
    };
    driver.ring = (id) => take(id)?.();
    driver.resolve = (id, ...response) => take(id)?.resolve(responseOf(...response));
    driver.reject = (id, message, code, body) => {
        const failure = new Error(message);
        if (code !== undefined) Object.assign(failure, { code, status: code, ok: false, body });
        // 500 is what some backends say to a wrong password.
        failure.unavailable = code === undefined || [502, 503, 504].includes(code);
        take(id)?.reject(failure);
    };
    driver.pairsOf = pairsOf;
    return { fetch, setTimeout, clearTimeout };
}
