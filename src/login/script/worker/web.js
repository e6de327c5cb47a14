// Classes of the web platform that scripts may use. The native side is `host`.
(host, driver) => {
    "use strict";
    const { pairsOf } = driver;

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
        get [Symbol.toStringTag]() { return "URLSearchParams"; }
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

    return { URL, URLSearchParams, TextEncoder, TextDecoder };
}
