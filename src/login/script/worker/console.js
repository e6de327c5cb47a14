// What scripts say to operators. The native side is `host`.
(host) => {
    "use strict";
    const { stringify } = JSON;
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

    const console = { log: log("info"), info: log("info"), debug: log("info"), warn: log("error"), error: log("error") };
    return { console, say: console.log };
}
