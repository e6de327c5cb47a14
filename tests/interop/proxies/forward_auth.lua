-- Asks uitsmijter whether a request may pass; lets it pass with the token, or answers in its place.

-- Lists of header values begin at 0 or at 1, depending on where they come from.
local function first(values)
    return values and (values[0] or values[1])
end

-- All cookies but the session's, which is between the browser and uitsmijter.
local function without_session(cookies)
    local kept = {}
    for cookie in cookies:gmatch("[^;]+") do
        cookie = cookie:match("^%s*(.-)%s*$")
        if cookie:sub(1, 15) ~= "uitsmijter-sso=" then table.insert(kept, cookie) end
    end
    return table.concat(kept, "; ")
end

core.register_action("forward_auth", { "http-req" }, function(txn, url)
    local asked = txn.http:req_get_headers()
    local headers = {
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-host"] = { first(asked["host"]) },
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-method"] = { txn.f:method() },
    }
    for _, name in ipairs({ "accept", "cookie", "sec-fetch-mode", "x-requested-with" }) do
        if asked[name] then headers[name] = { first(asked[name]) } end
    end
    local answer = core.httpclient():get({ url = url, headers = headers, timeout = 5000 })
    txn.http:req_del_header("authorization")
    txn.http:req_del_header("x-user-ident")
    if answer and answer.status == 200 then
        txn.http:req_set_header("authorization", first(answer.headers["authorization"]))
        txn.http:req_set_header("x-user-ident", first(answer.headers["x-user-ident"]))
        txn.http:req_set_header("cookie", without_session(first(asked["cookie"]) or ""))
        -- A session that is prolonged, which the browser has to know; haproxy.cfg adds it to the application's answer.
        local prolonged = answer.headers["set-cookie"] and first(answer.headers["set-cookie"])
        if prolonged then txn:set_var("txn.prolonged", prolonged) end
        return
    end
    local reply = txn:reply({ status = answer and answer.status > 0 and answer.status or 503 })
    local location = answer and answer.headers and first(answer.headers["location"])
    if location then reply:add_header("location", location) end
    reply:add_header("cache-control", "no-store")
    txn:done(reply)
end, 1)
