// A B-tree of 64-bit keys and a red-black tree over the same operations: insert, look up, walk in order, delete from the B-tree's leaves.
#include "corpus.h"

enum { FANOUT = 16, NODES = 6000 };
typedef struct node { int count, leaf; u64 key[FANOUT - 1]; struct node *child[FANOUT]; } node;
static node pool[NODES];
static int used;

typedef struct twig { u64 key; struct twig *side[2], *parent; int red; } twig;
static twig twigs[20000];
static int twigs_used;

static node *new_node(int leaf) {
    node *n = &pool[used++];
    n->count = 0, n->leaf = leaf;
    return n;
}

static void split(node *parent, int i) {
    node *left = parent->child[i], *right = new_node(left->leaf);
    int half = FANOUT / 2 - 1;
    right->count = left->count - half - 1;
    memcpy(right->key, left->key + half + 1, right->count * sizeof *right->key);
    if (!left->leaf) memcpy(right->child, left->child + half + 1, (right->count + 1) * sizeof *right->child);
    left->count = half;
    for (int k = parent->count; k > i; k--) parent->key[k] = parent->key[k - 1], parent->child[k + 1] = parent->child[k];
    parent->key[i] = left->key[half], parent->child[i + 1] = right, parent->count++;
}

static int position(const node *n, u64 key) {
    int lo = 0, hi = n->count;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (n->key[mid] < key) lo = mid + 1; else hi = mid;
    }
    return lo;
}

static node *insert(node *root, u64 key) {
    if (root->count == FANOUT - 1) {
        node *top = new_node(0);
        top->child[0] = root, split(top, 0), root = top;
    }
    for (node *n = root;;) {
        int i = position(n, key);
        if (i < n->count && n->key[i] == key) return root;
        if (n->leaf) {
            memmove(n->key + i + 1, n->key + i, (n->count - i) * sizeof *n->key);
            n->key[i] = key, n->count++;
            return root;
        }
        if (n->child[i]->count == FANOUT - 1) {
            split(n, i);
            if (n->key[i] < key) i++; else if (n->key[i] == key) return root;
        }
        n = n->child[i];
    }
}

static int contains(const node *n, u64 key) {
    for (;;) {
        int i = position(n, key);
        if (i < n->count && n->key[i] == key) return 1;
        if (n->leaf) return 0;
        n = n->child[i];
    }
}

static u32 walk(node *n, u32 sum) {
    for (int i = 0; i < n->count; i++) {
        if (!n->leaf) sum = walk(n->child[i], sum);
        sum = mix(sum, (u32)(n->key[i] >> 7));
    }
    return n->leaf ? sum : walk(n->child[n->count], sum);
}

static void rotate(twig **root, twig *x, int d) {
    twig *y = x->side[!d];
    x->side[!d] = y->side[d];
    if (y->side[d]) y->side[d]->parent = x;
    y->parent = x->parent;
    if (!x->parent) *root = y; else x->parent->side[x == x->parent->side[1]] = y;
    y->side[d] = x, x->parent = y;
}

static void grow(twig **root, u64 key) {
    twig *parent = NULL, **at = root;
    while (*at) {
        if ((*at)->key == key) return;
        parent = *at, at = &parent->side[key > parent->key];
    }
    twig *x = *at = &twigs[twigs_used++];
    *x = (twig){ key, { NULL, NULL }, parent, 1 };
    while (x->parent && x->parent->red) {
        twig *up = x->parent, *top = up->parent;
        int d = up == top->side[1];
        twig *uncle = top->side[!d];
        if (uncle && uncle->red) { up->red = uncle->red = 0, top->red = 1, x = top; continue; }
        if (x == up->side[!d]) rotate(root, up, d), x = up, up = x->parent;
        up->red = 0, top->red = 1;
        rotate(root, top, !d);
    }
    (*root)->red = 0;
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        used = twigs_used = 0;
        node *root = new_node(1);
        twig *tree = NULL;
        for (int i = 0; i < 6000; i++) {
            u64 key = (u64)rng() << 9 | (rng() & 511);
            root = insert(root, key);
            grow(&tree, key);
            if (i % 3 == 0) sum += contains(root, key + (i & 1));
        }
        sum = walk(root, sum);
        twig *x = tree;
        while (x->side[0]) x = x->side[0];
        while (x) {
            sum = mix(sum, (u32)x->key + x->red);
            if (x->side[1]) for (x = x->side[1]; x->side[0];) x = x->side[0];
            else { while (x->parent && x == x->parent->side[1]) x = x->parent; x = x->parent; }
        }
    }
    return sum;
}
