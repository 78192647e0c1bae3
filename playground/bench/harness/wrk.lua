-- Ends wrk's report with one line of JSON.
function done(summary)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('{"requests":%d,"errors":%d}\n', summary.requests, errors))
end
