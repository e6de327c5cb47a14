// The JavaScript side of what login scripts may call. The native side is handed over as `host`; what comes back is
// called from there when something that a script waits for has arrived.
(host) => {
    "use strict";
    const { stringify, parse } = JSON;
    const waiting = new Map();
    let last = 0;

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
        if (body instanceof URLSearchParams) return [String(body), "application/x-www-form-urlencoded;charset=UTF-8"];
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

    class TextEncoder {
        get encoding() { return "utf-8"; }
        encode(value = "") { return host.encode(String(value)); }
    }
    class TextDecoder {
        get encoding() { return "utf-8"; }
        decode(bytes = []) { return host.decode(Array.from(bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes)); }
    }

    class URLSearchParams {
        #pairs;
        constructor(from = "") {
            const pairs = from !== null && typeof from === "object" ? pairsOf(from) : host.parseQuery(String(from));
            this.#pairs = pairs;
        }
        append(name, value) { this.#pairs.push([String(name), String(value)]); }
        delete(name) { this.#pairs = this.#pairs.filter(([known]) => known !== String(name)); }
        get(name) { return this.#pairs.find(([known]) => known === String(name))?.[1] ?? null; }
        getAll(name) { return this.#pairs.filter(([known]) => known === String(name)).map(([, value]) => value); }
        has(name) { return this.#pairs.some(([known]) => known === String(name)); }
        set(name, value) { this.delete(name); this.append(name, value); }
        toString() { return host.writeQuery(this.#pairs); }
        *entries() { yield* this.#pairs.map((pair) => [...pair]); }
        *keys() { for (const [name] of this.#pairs) yield name; }
        *values() { for (const [, value] of this.#pairs) yield value; }
        forEach(callback) { for (const [name, value] of this.#pairs) callback(value, name, this); }
        [Symbol.iterator]() { return this.entries(); }
    }

    // Read-only: a script that builds an address does so from text, a base and parameters.
    class URL {
        constructor(url, base) {
            const parts = host.parseUrl(String(url), base === undefined ? null : String(base));
            for (const [name, value] of parts) Object.defineProperty(this, name, { value, enumerable: true });
            Object.defineProperty(this, "searchParams", { value: new URLSearchParams(this.search) });
        }
        static canParse(url, base) {
            try {
                return Boolean(new URL(url, base));
            } catch {
                return false;
            }
        }
        toString() { return this.href; }
        toJSON() { return this.href; }
    }

    const console = { log: log("info"), info: log("info"), debug: log("info"), warn: log("error"), error: log("error") };
    const crypto = { randomUUID: host.randomUUID };
    const { commit, md5, sha256, sha512, hmac, bcryptVerify, argon2Verify } = host;
    // Classes run in strict mode, where an assignment to an undeclared name throws; scripts in use make these three.
    const habits = { profile: undefined, response: undefined, result: undefined };
    Object.assign(globalThis, habits, {
        fetch, setTimeout, clearTimeout, console, say: console.log, crypto, commit,
        md5, sha256, sha512, hmac, bcryptVerify, argon2Verify,
        URL, URLSearchParams, TextEncoder, TextDecoder,
    });

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
            take(id)?.reject(failure);
        },
    };
}
