// The C library at work: numbers to text and back, sorting, searching, memory that grows until the module's limit.
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

int main(void) {
    printf("%d %u %x %#o %+d %08.3f|%-8s|%8s|%c\n", INT32_MIN, UINT32_MAX, 0xbeef, 8, 5, -3.14159, "left", "right", 'c');
    printf("%" PRId64 " %" PRIu64 " %g %g %e %a\n", INT64_MIN, UINT64_MAX, DBL_MAX, DBL_MIN, 1.0 / 3, 0.1);
    printf("%g %g %g %g\n", INFINITY, -INFINITY, NAN, -0.0);
    printf("%.17g %.17g %.17g\n", strtod("0.1", NULL), strtod("1e-320", NULL), strtod("0x1.8p3", NULL));
    printf("%ld %ld %lld\n", strtol("-0x7f", NULL, 16), strtol("z", NULL, 36), strtoll("9223372036854775808", NULL, 10));
    printf("%.15g %.15g %.15g %.15g\n", sin(1e6), pow(2, 0.5), exp(-1), log1p(1e-10));
    printf("%.15g %.15g %.15g %.9g\n", tgamma(5.5), erf(0.3), fmod(1e17, 7), atan2f(-1, -2));
    printf("%g %g %g %g %ld\n", rint(2.5), round(-2.5), trunc(-1.9), nearbyint(3.5), lrint(-7.5));
    int a = 0, b = 0;
    double c = 0;
    char word[8];
    printf("%d:", sscanf("12 0x1f 2.5e3 wren", "%d %i %lf %7s", &a, &b, &c, word));
    printf(" %d %d %g %s\n", a, b, c, word);

    double list[100];
    for (int i = 0; i < 100; i++) list[i] = (i * 37 % 101) / 4.0;
    qsort(list, 100, sizeof *list, descending);
    double key = 12.25, *found = bsearch(&key, list, 100, sizeof *list, descending);
    printf("%g %g %g %td\n", list[0], list[50], list[99], found - list);

    char text[] = "gold,crest;wren,,robin";
    for (char *word = strtok(text, ",;"); word; word = strtok(NULL, ",;")) printf("[%s]", word);
    printf(" %s %zu %d\n", strstr("firecrest", "crest"), strcspn("abc,def", ","), memcmp("a\xff", "a\x01", 2) > 0);

    size_t total = 0, blocks = 0;
    for (void **last = NULL, **block; (block = malloc(65536)); last = block) {
        memset(block, 0xa5, 65536);
        *block = last, total += 65536, blocks++;
    }
    printf("memory: %d\n", blocks > 20 && total < 4 << 20);
    return 0;
}
