// Ends in the trap named by the argument.
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*one)(int);
typedef long long (*two)(long long, double);
static int same(int x) { return x; }
static volatile one function = same;
static volatile int zero, minus_one = -1, least = INT_MIN;
static volatile float odd = NAN;

__attribute__((noinline)) static int deep(int n) { return n == zero ? 0 : deep(n + 1) * 3 + n; }

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    printf("before %s\n", kind);
    fflush(stdout);
    if (strcmp(kind, "unreachable") == 0) __builtin_trap();
    if (strcmp(kind, "divide") == 0) return 7 * argc / zero;
    if (strcmp(kind, "overflow") == 0) return least / minus_one;
    if (strcmp(kind, "convert") == 0) return __builtin_wasm_trunc_s_i32_f32(odd);
    if (strcmp(kind, "bounds") == 0) return *(volatile int *)0xfffffff0;
    if (strcmp(kind, "recursion") == 0) return deep(argc);
    if (strcmp(kind, "signature") == 0) return (int)((two)(void *)function)(1, 2.0);
    if (strcmp(kind, "null") == 0) return ((one)zero)(1);
    if (strcmp(kind, "table") == 0) return ((one)0x7fffff)(1);
    if (strcmp(kind, "abort") == 0) abort();
    printf("no such trap\n");
    return 1;
}
