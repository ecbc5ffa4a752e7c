// Lua 5.4 runs a script: strings, patterns, tables, closures, metatables, integer and float arithmetic.
#include "corpus.h"
#include "lauxlib.h"
#include "lualib.h"

static const char script[] =
    "local rounds = ...\n"
    "local seed = 42\n"
    "local function random(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed // 65536 % n end\n"
    "local Shape = {}; Shape.__index = Shape\n"
    "function Shape.new(kind, a, b) return setmetatable({kind = kind, a = a, b = b}, Shape) end\n"
    "function Shape:area() if self.kind == 'disc' then return 3.14159 * self.a ^ 2 end return self.a * self.b end\n"
    "Shape.__lt = function(x, y) return x:area() < y:area() end\n"
    "local function counter() local n = 0; return function(by) n = n + by; return n end end\n"
    "local out = {}\n"
    "for round = 1, rounds do\n"
    "  local shapes = {}\n"
    "  for i = 1, 60 do shapes[i] = Shape.new(i % 3 == 0 and 'disc' or 'box', random(50), random(50)) end\n"
    "  table.sort(shapes)\n"
    "  local words, count = {}, {}\n"
    "  for i = 1, 80 do words[i] = ('w%02x'):format(random(40)) end\n"
    "  for word in table.concat(words, ' '):gmatch('%a%x+') do count[word] = (count[word] or 0) + 1 end\n"
    "  local keys = {}\n"
    "  for word, n in pairs(count) do keys[#keys + 1] = word .. '=' .. n end\n"
    "  table.sort(keys)\n"
    "  local line = table.concat(keys, ','):gsub('w(%x)(%x)', '%2%1'):upper():reverse()\n"
    "  local add = counter()\n"
    "  for i = 1, #line do add(line:byte(i) * i & 0xff) end\n"
    "  local queue = {}\n"
    "  for i = 1, 100 do table.insert(queue, 1 + random(#queue + 1), i); if i % 3 == 0 then table.remove(queue) end end\n"
    "  out[#out + 1] = ('%d %.3f %s'):format(add(0), shapes[30]:area(), queue[#queue])\n"
    "end\n"
    "return table.concat(out, '\\n')\n";

PROGRAM run(i32 rounds) {
    lua_State *L = luaL_newstate();
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    lua_settop(L, 0);
    if (luaL_loadstring(L, script) != LUA_OK) return -1;
    lua_pushinteger(L, rounds);
    lua_call(L, 1, 1);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    u32 sum = mix_bytes(0, text, len);
    lua_close(L);
    return sum;
}
