// A first-fit allocator with coalescing, under binary trees, linked lists and strings that grow and die.
#include "corpus.h"

typedef struct block { u32 size; struct block *next; } block; // size includes the header
static _Alignas(8) u8 arena[1 << 20];
static block *spare;

static void *take(u32 bytes) {
    u32 need = (bytes + sizeof(block) + 7) & ~7u;
    for (block **at = &spare; *at; at = &(*at)->next) {
        block *b = *at;
        if (b->size < need) continue;
        if (b->size - need >= 2 * sizeof(block)) {
            block *rest = (block *)((u8 *)b + need);
            *rest = (block){ b->size - need, b->next };
            b->size = need, *at = rest;
        } else {
            *at = b->next;
        }
        return b + 1;
    }
    __builtin_trap();
}

static void give(void *p) {
    block *b = (block *)p - 1, **at = &spare, *before = NULL;
    while (*at && *at < b) before = *at, at = &(*at)->next;
    b->next = *at, *at = b;
    if (b->next && (u8 *)b + b->size == (u8 *)b->next) b->size += b->next->size, b->next = b->next->next;
    if (before && (u8 *)before + before->size == (u8 *)b) before->size += b->size, before->next = b->next;
}

typedef struct tree { struct tree *left, *right; u32 key; } tree;

static tree *insert(tree *t, u32 key) {
    if (!t) { t = take(sizeof *t); *t = (tree){ NULL, NULL, key }; return t; }
    if (key < t->key) t->left = insert(t->left, key); else t->right = insert(t->right, key);
    return t;
}

static u32 fell(tree *t, u32 depth) {
    if (!t) return depth;
    u32 sum = mix(fell(t->left, depth + 1), t->key) + fell(t->right, depth + 1);
    give(t);
    return sum;
}

typedef struct { u32 len, room; char *text; } string;

static void append(string *s, const char *more, u32 n) {
    if (s->len + n > s->room) {
        u32 room = 2 * (s->len + n);
        char *text = take(room);
        if (s->text) memcpy(text, s->text, s->len), give(s->text);
        s->text = text, s->room = room;
    }
    memcpy(s->text + s->len, more, n), s->len += n;
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    spare = (block *)arena;
    *spare = (block){ sizeof arena, NULL };
    for (int r = 0; r < rounds; r++) {
        tree *root = NULL;
        string strings[32] = { 0 };
        for (int i = 0; i < 600; i++) {
            root = insert(root, rng());
            append(&strings[rng() % 32], "the quick brown fox", 4 + rng() % 15);
            if (i % 40 == 39) {
                string *s = &strings[rng() % 32];
                if (s->text) sum = mix_bytes(sum, s->text, s->len), give(s->text);
                *s = (string){ 0 };
            }
        }
        sum += fell(root, 0);
        for (int i = 0; i < 32; i++) if (strings[i].text) give(strings[i].text);
    }
    return mix(sum, spare->size);
}
