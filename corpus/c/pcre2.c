// Searches generated text with backtracking regular expressions: captures, look-around, back references, Unicode classes.
#include "text.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#define PCRE2_STATIC
#include <pcre2.h>

static const char *const patterns[] = {
    "\\b(\\w+) (?:of|under) (the|a)\\b", "(?i)north|south|HARBOUR", "(\\w)(\\w)?\\w*\\1", "(?<=, )\\w+(?!\\.)", "^.*?seven.*$",
    "(?:[a-f]+|[^a-f\\s])+\\.", "\\p{Lu}?\\p{Ll}{6,}", "(?<first>\\w+) \\w+ \\k<first>", "[aeiou]{2}[^aeiou\\W]", "(a|is|in)(?= (?:to|at))",
};

PROGRAM run(i32 size) {
    static char text[65536];
    u32 sum = 0;
    size_t n = write_text(text, (size_t)size < sizeof text ? (size_t)size : sizeof text);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        int error;
        PCRE2_SIZE at;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)patterns[p], PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE | PCRE2_UTF | PCRE2_UCP, &error, &at, NULL);
        if (!code) return -1;
        pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
        PCRE2_SIZE *found = pcre2_get_ovector_pointer(match), from = 0;
        while (from < n && pcre2_match(code, (PCRE2_SPTR)text, n, from, PCRE2_NO_UTF_CHECK, match, NULL) > 0) {
            sum = mix(mix(sum, found[0]), found[1] - found[0]);
            from = found[1] > from ? found[1] : from + 1;
        }
        pcre2_match_data_free(match);
        pcre2_code_free(code);
    }
    return sum;
}
