// The C library's conversions: numbers to text and back, strings searched, split, compared and sorted.
#include "text.h"
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

PROGRAM run(i32 rounds) {
    static char text[2048], line[256], *words[512];
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        double x = (rng_unit() - 0.5) * 1e6, back;
        int n, m;
        snprintf(line, sizeof line, "%d,%x,%08.3f,%e,%g,%-12s|%5c|%llu", (int)rng(), rng(), x, x, x / 3e9, "left", 'a' + r % 26, (unsigned long long)rng() * rng());
        sum = mix_bytes(sum, line, strlen(line));
        if (sscanf(line, "%d,%x,%lf", &n, (unsigned *)&m, &back) != 3) return -1;
        sum = mix(mix(sum, n ^ m), (u32)(i64)(back * 1000));
        sum = mix(sum, (u32)strtoul(line, NULL, 0) + (u32)(atof("2.5e3") + strtod(strrchr(line, 'e') - 8, NULL)));
        write_text(text, sizeof text);
        int count = 0;
        for (char *word = strtok(text, " ,.\n"); word && count < 512; word = strtok(NULL, " ,.\n")) words[count++] = word;
        qsort(words, count, sizeof *words, compare);
        for (int i = 0; i < count; i++) sum = mix(sum, strlen(words[i]) + (strstr(words[i], "ar") ? 7 : 0) + (strchr(words[i], 'o') ? 9 : 0));
    }
    return sum;
}
