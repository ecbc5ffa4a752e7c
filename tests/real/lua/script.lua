-- Strings, patterns, closures, metatables, goto, integers and floats, files.
local dir = ...
local file = assert(io.open(dir .. "/birds.txt", "w"))
for i, bird in ipairs { "goldcrest", "wren", "firecrest", "robin" } do
  file:write(("%d %s %.2f\n"):format(i, bird, i / 3))
end
file:close()

local total, names = 0, {}
for line in io.lines(dir .. "/birds.txt") do
  local n, name, share = line:match("^(%d+) (%a+) ([%d.]+)$")
  total = total + tonumber(share) * math.tointeger(n)
  names[#names + 1] = name:gsub("^%l", string.upper)
end
table.sort(names, function(a, b) return #a < #b or (#a == #b and a < b) end)
print(table.concat(names, ", "), ("%.3f"):format(total))

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__tostring = function(v) return ("(%g, %g)"):format(v.x, v.y) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
local v = setmetatable({ x = 1, y = 2.5 }, Vector)
print(tostring(v + v), v == setmetatable({ x = 1, y = 2.5 }, Vector), v ~= v + v)

local function counter()
  local n = 0
  return function() n = n + 1; return n end
end
local tick = counter()
print(tick() + tick() * 10, math.maxinteger + 1 == math.mininteger, 7 // -2, 7 % -2, -7 >> 60, 2 ^ 0.5)
for i = 1, 20 do
  if i % 7 == 0 then print("stopped at " .. i); goto done end
end
::done::
print(utf8.len("gôldcrêst"), utf8.codepoint("é"), string.pack("<i4", -2):byte(1, -1))
print(io.read("n") + 1, io.read("l", "a"))
collectgarbage()
os.remove(dir .. "/birds.txt")
print(io.open(dir .. "/birds.txt"))
os.exit(3)
