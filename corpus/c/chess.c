// Counts chess positions three moves deep from several openings (0x88 board, make and undo) and scores the leaves;
// castling and en passant left out.
#include "corpus.h"

enum { EMPTY, PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING, BLACK = 8 };
typedef struct { u8 from, to, captured, promoted; } move;
static u8 board[128];
static u32 nodes;
static i32 total;
static const i32 value[7] = { 0, 100, 320, 330, 500, 900, 0 };
static const signed char knight[] = { 31, 33, 14, 18, -31, -33, -14, -18 }, king[] = { 1, -1, 16, -16, 15, 17, -15, -17 };

static int attacked(int at, int by) {
    int forward = by ? -16 : 16;
    for (int d = -1; d <= 1; d += 2) {
        int from = at - forward + d;
        if (!(from & 0x88) && board[from] == (PAWN | by)) return 1;
    }
    for (int k = 0; k < 8; k++) {
        int from = at + knight[k];
        if (!(from & 0x88) && board[from] == (KNIGHT | by)) return 1;
        from = at + king[k];
        if (!(from & 0x88) && board[from] == (KING | by)) return 1;
        for (; !(from & 0x88); from += king[k]) {
            if (!board[from]) continue;
            if (board[from] == (QUEEN | by) || board[from] == ((k < 4 ? ROOK : BISHOP) | by)) return 1;
            break;
        }
    }
    return 0;
}

static int add(move *list, int n, int from, int to) {
    int pawn = (board[from] & 7) == PAWN;
    list[n] = (move){ from, to, board[to], pawn && (to < 16 || to >= 112) };
    return n + 1;
}

static int slide(move *list, int n, int from, int first, int last, int side) {
    for (int k = first; k < last; k++)
        for (int to = from + king[k]; !(to & 0x88); to += king[k]) {
            if (board[to] && (board[to] & BLACK) == side) break;
            n = add(list, n, from, to);
            if (board[to]) break;
        }
    return n;
}

static int leap(move *list, int n, int from, const signed char *steps, int side) {
    for (int k = 0; k < 8; k++) {
        int to = from + steps[k];
        if (!(to & 0x88) && !(board[to] && (board[to] & BLACK) == side)) n = add(list, n, from, to);
    }
    return n;
}

static int generate(move *list, int side) {
    int n = 0, forward = side ? -16 : 16;
    for (int from = 0; from < 128; from++) {
        if (from & 0x88 || !board[from] || (board[from] & BLACK) != side) continue;
        switch (board[from] & 7) {
        case PAWN: {
            int to = from + forward;
            if (!board[to]) {
                n = add(list, n, from, to);
                if (from >> 4 == (side ? 6 : 1) && !board[to + forward]) n = add(list, n, from, to + forward);
            }
            for (int d = -1; d <= 1; d += 2)
                if (!((to + d) & 0x88) && board[to + d] && (board[to + d] & BLACK) != side) n = add(list, n, from, to + d);
            break;
        }
        case KNIGHT: n = leap(list, n, from, knight, side); break;
        case KING: n = leap(list, n, from, king, side); break;
        case ROOK: n = slide(list, n, from, 0, 4, side); break;
        case BISHOP: n = slide(list, n, from, 4, 8, side); break;
        case QUEEN: n = slide(list, n, from, 0, 8, side); break;
        }
    }
    return n;
}

static void score(void) {
    for (int at = 0; at < 128; at++) {
        if (at & 0x88 || !board[at]) continue;
        i32 centre = (at & 7) < 4 ? at & 7 : 7 - (at & 7), worth = value[board[at] & 7] + 3 * centre;
        total += board[at] & BLACK ? -worth : worth;
    }
}

static void play(int side, int depth) {
    move list[128];
    int n = generate(list, side), home = 0;
    for (int i = 0; i < n; i++) {
        move m = list[i];
        u8 piece = board[m.from];
        board[m.to] = m.promoted ? QUEEN | side : piece, board[m.from] = EMPTY;
        while (board[home] != (KING | side)) home = (home + 1) & 127;
        if (!attacked(home, side ^ BLACK)) {
            nodes++;
            if (depth > 1) play(side ^ BLACK, depth - 1); else score();
        }
        board[m.from] = piece, board[m.to] = m.captured;
    }
}

static void set_up(int opening) {
    static const u8 back[8] = { ROOK, KNIGHT, BISHOP, QUEEN, KING, BISHOP, KNIGHT, ROOK };
    memset(board, EMPTY, sizeof board);
    for (int x = 0; x < 8; x++) {
        board[x] = back[x], board[112 + x] = back[x] | BLACK;
        board[16 + x] = PAWN, board[96 + x] = PAWN | BLACK;
    }
    int white = opening % 8, black = opening / 3 % 8;
    board[16 + white] = EMPTY, board[48 + white] = PAWN;
    board[96 + black] = EMPTY, board[64 + black] = PAWN | BLACK;
}

PROGRAM run(i32 openings) {
    for (int i = 0; i < openings; i++) {
        set_up(i);
        play(0, 3);
    }
    return nodes ^ total << 8;
}
