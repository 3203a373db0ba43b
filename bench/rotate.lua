-- For wrk: sends prepared requests in turn, and holds every answer to what a good one says.
-- Arguments: the file of requests, what stands between them, what each send gets a key in place of, the keys' prefix,
-- where the outcome goes, and the patterns that a good answer has.

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  local file, between, stamp, prefix = arguments[1], arguments[2], arguments[3], arguments[4]
  local handle = assert(io.open(file, "rb"))
  local text = handle:read("*a")
  handle:close()
  requests, patterns, sent, bad, answered, sample = {}, {}, 0, 0, 0, ""
  out, key = arguments[5], prefix
  for index = 6, #arguments do
    patterns[#patterns + 1] = arguments[index]
  end
  local place = 1
  while place <= #text do
    local ends = text:find(between, place, true)
    local request = text:sub(place, ends - 1)
    local from, to = request:find(stamp, 1, true)
    if from then
      requests[#requests + 1] = { request:sub(1, from - 1), request:sub(to + 1) }
    else
      requests[#requests + 1] = { request }
    end
    place = ends + #between
  end
end

function request()
  sent = sent + 1
  local parts = requests[(sent - 1) % #requests + 1]
  if parts[2] then
    return parts[1] .. key .. string.format("%08d", sent) .. parts[2]
  end
  return parts[1]
end

function response(status, headers, body)
  answered = answered + 1
  local good = status == 200
  for index = 1, #patterns do
    good = good and body:find(patterns[index]) ~= nil
  end
  if not good then
    bad, sample = bad + 1, status .. " " .. body:sub(1, 500)
  end
end

function done(summary, latency)
  local file = assert(io.open(threads[1]:get("out"), "wb"))
  local errors = summary.errors
  file:write(summary.duration, "\n", threads[1]:get("answered"), "\n", threads[1]:get("bad"), "\n")
  file:write(errors.connect + errors.read + errors.write + errors.timeout, "\n", latency:percentile(50), "\n")
  file:write(latency:percentile(99), "\n", threads[1]:get("sample"))
  file:close()
end
