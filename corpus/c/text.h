// Text to compress, search or parse: words drawn from a small list, with sentences and paragraphs.
#pragma once
#include "corpus.h"

static size_t write_text(char *out, size_t len) {
    static const char *const words[] = { "river", "stone", "a", "under", "light", "the", "carry", "window", "of", "seven",
        "paper", "to", "quiet", "morning", "and", "harbour", "wheel", "is", "copper", "garden", "in", "letter", "north", "at" };
    size_t n = 0;
    while (n + 16 < len) {
        for (const char *word = words[rng() % 24]; *word;) out[n++] = *word++;
        u32 stop = rng() % 40;
        for (const char *s = stop == 0 ? ".\n\n" : stop < 4 ? ". " : stop < 7 ? ", " : " "; *s;) out[n++] = *s++;
    }
    out[n] = 0;
    return n;
}
