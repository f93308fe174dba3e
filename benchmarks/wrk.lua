-- Posts the file that BODY names, over and over, and says at the end what wrk.py reads.
local body = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method, wrk.body = "POST", body:read("*a")

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("SAID %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
