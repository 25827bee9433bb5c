-- wrk's requests: one path, the people's credentials in turn. Peers get the same bytes and ignore them.
-- Arguments: Accept, the file of credentials (a field and its value a line).
local requests, turn = {}, 0

function init(args)
  for line in io.lines(args[2]) do
    local field, value = line:match("^(%S+): (.*)$")
    requests[#requests + 1] = wrk.format("GET", nil, {
      ["Host"] = wrk.headers["Host"] or (wrk.host .. ":" .. wrk.port),
      ["Accept"] = args[1],
      [field] = value,
    })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"bytes":%d,"seconds":%f,"p50":%f,"p99":%f,"max":%f,"errors":%d}',
    summary.requests, summary.bytes, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
