// Shortest paths in a maze: A* with a binary heap, breadth-first flood, and Floyd-Warshall on a small graph.
#include "corpus.h"

enum { W = 128, CELLS = W * W, V = 48 };
static u8 wall[CELLS];
static u32 cost[CELLS], heap_key[4 * CELLS], heap_cell[4 * CELLS], heap_len;
static u16 queue[CELLS];
static i32 distance[V][V];

static void push(u32 key, u32 cell) {
    u32 i = heap_len++;
    for (; i && heap_key[(i - 1) / 2] > key; i = (i - 1) / 2)
        heap_key[i] = heap_key[(i - 1) / 2], heap_cell[i] = heap_cell[(i - 1) / 2];
    heap_key[i] = key, heap_cell[i] = cell;
}

static u32 pop(void) {
    u32 top = heap_cell[0], key = heap_key[--heap_len], cell = heap_cell[heap_len], i = 0, child;
    while ((child = 2 * i + 1) < heap_len) {
        if (child + 1 < heap_len && heap_key[child + 1] < heap_key[child]) child++;
        if (heap_key[child] >= key) break;
        heap_key[i] = heap_key[child], heap_cell[i] = heap_cell[child], i = child;
    }
    heap_key[i] = key, heap_cell[i] = cell;
    return top;
}

static u32 estimate(u32 a, u32 b) {
    i32 dx = (i32)(a % W) - (i32)(b % W), dy = (i32)(a / W) - (i32)(b / W);
    return (dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy);
}

static const i32 step[4] = { 1, -1, W, -W };

static u32 astar(u32 from, u32 to) {
    memset(cost, 0xff, sizeof cost);
    heap_len = 0, cost[from] = 0;
    push(estimate(from, to), from);
    while (heap_len) {
        u32 at = pop();
        if (at == to) return cost[at];
        for (int k = 0; k < 4; k++) {
            u32 next = at + step[k];
            if (wall[next]) continue;
            u32 c = cost[at] + 1 + (next % 7 == 0);
            if (c < cost[next]) cost[next] = c, push(c + estimate(next, to), next);
        }
    }
    return 0;
}

static u32 flood(u32 from) {
    memset(cost, 0xff, sizeof cost);
    u32 head = 0, tail = 0;
    queue[tail++] = from, cost[from] = 0;
    while (head < tail) {
        u32 at = queue[head++];
        for (int k = 0; k < 4; k++) {
            u32 next = at + step[k];
            if (!wall[next] && cost[next] == ~0u) cost[next] = cost[at] + 1, queue[tail++] = next;
        }
    }
    return tail;
}

static u32 all_pairs(void) {
    for (int i = 0; i < V; i++)
        for (int j = 0; j < V; j++) distance[i][j] = i == j ? 0 : rng() % 4 ? 1000000 : 1 + rng() % 100;
    for (int k = 0; k < V; k++)
        for (int i = 0; i < V; i++)
            for (int j = 0; j < V; j++)
                if (distance[i][k] + distance[k][j] < distance[i][j]) distance[i][j] = distance[i][k] + distance[k][j];
    return distance[1][V - 1];
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        for (u32 i = 0; i < CELLS; i++)
            wall[i] = i < W || i >= CELLS - W || i % W == 0 || i % W == W - 1 || rng() % 100 < 28;
        u32 from = W + 1, to = CELLS - W - 2;
        wall[from] = wall[to] = 0;
        sum = mix(sum, astar(from, to));
        sum = mix(sum, flood(from));
        sum = mix(sum, all_pairs());
    }
    return sum;
}
