// `lua SCRIPT ARGS...`. Errors end the program: there is no longjmp to catch them with.
#include "lauxlib.h"
#include "lualib.h"
#include <stdio.h>
#include <stdlib.h>

// What Lua's os and io libraries ask for and wasi-libc lacks.
int system(const char *command) { (void)command; return 0; }
char *tmpnam(char *name) { (void)name; return NULL; }
FILE *tmpfile(void) { return NULL; }

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (argc < 2 || luaL_loadfile(L, argv[1]) != LUA_OK) {
        fprintf(stderr, "error: %s\n", argc < 2 ? "no script" : lua_tostring(L, -1));
        return 1;
    }
    for (int i = 2; i < argc; i++) lua_pushstring(L, argv[i]);
    lua_call(L, argc - 2, 0);
    lua_close(L);
    return 0;
}
