// Plane geometry in f64: convex hulls, Delaunay triangles, clipped polygons, k-means clusters, nearest pairs, splines.
#include "corpus.h"
#include <math.h>
#include <stdlib.h>

enum { N = 160, CLUSTERS = 6 };
typedef struct { double x, y; } point;
typedef struct { int a, b, c; } triangle;
static point points[N + 3], hull[2 * N];
static triangle mesh[4 * N];
typedef struct { int a, b; } side;

static double cross(point o, point a, point b) { return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x); }

static int by_x(const void *a, const void *b) {
    const point *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->y > q->y) - (p->y < q->y);
}

static int convex_hull(void) {
    int k = 0;
    qsort(points, N, sizeof *points, by_x);
    for (int i = 0; i < N; hull[k++] = points[i++]) while (k >= 2 && cross(hull[k - 2], hull[k - 1], points[i]) <= 0) k--;
    for (int i = N - 2, floor = k + 1; i >= 0; hull[k++] = points[i--]) while (k >= floor && cross(hull[k - 2], hull[k - 1], points[i]) <= 0) k--;
    return k - 1;
}

static int inside_circle(triangle t, point p) {
    double ax = points[t.a].x - p.x, ay = points[t.a].y - p.y, bx = points[t.b].x - p.x, by = points[t.b].y - p.y, cx = points[t.c].x - p.x, cy = points[t.c].y - p.y;
    double det = (ax * ax + ay * ay) * (bx * cy - cx * by) - (bx * bx + by * by) * (ax * cy - cx * ay) + (cx * cx + cy * cy) * (ax * by - bx * ay);
    return cross(points[t.a], points[t.b], points[t.c]) > 0 ? det > 0 : det < 0;
}

// Bowyer and Watson.
static int delaunay(void) {
    static side sides[8 * N];
    int n = 1;
    points[N] = (point){ -1e4, -1e4 }, points[N + 1] = (point){ 1e4, -1e4 }, points[N + 2] = (point){ 0, 1e4 };
    mesh[0] = (triangle){ N, N + 1, N + 2 };
    for (int p = 0; p < N; p++) {
        int cut = 0;
        for (int t = 0; t < n;) {
            if (!inside_circle(mesh[t], points[p])) { t++; continue; }
            sides[cut++] = (side){ mesh[t].a, mesh[t].b }, sides[cut++] = (side){ mesh[t].b, mesh[t].c }, sides[cut++] = (side){ mesh[t].c, mesh[t].a };
            mesh[t] = mesh[--n];
        }
        for (int i = 0; i < cut; i++) {
            int shared = 0;
            for (int j = 0; j < cut; j++) shared |= j != i && sides[i].a == sides[j].b && sides[i].b == sides[j].a;
            if (!shared) mesh[n++] = (triangle){ sides[i].a, sides[i].b, p };
        }
    }
    return n;
}

// Sutherland and Hodgman, against a rotated square.
static double clipped_area(int n, double angle) {
    point from[2 * N], to[2 * N];
    memcpy(from, hull, n * sizeof *hull);
    for (int e = 0; e < 4; e++) {
        point a = { 50 + 30 * cos(angle + e * 1.5707963), 50 + 30 * sin(angle + e * 1.5707963) }, b = { 50 + 30 * cos(angle + (e + 1) * 1.5707963), 50 + 30 * sin(angle + (e + 1) * 1.5707963) };
        int m = 0;
        for (int i = 0; i < n; i++) {
            point p = from[i], q = from[(i + 1) % n];
            double cp = cross(a, b, p), cq = cross(a, b, q);
            if (cp >= 0) to[m++] = p;
            if ((cp >= 0) != (cq >= 0)) { double t = cp / (cp - cq); to[m++] = (point){ p.x + t * (q.x - p.x), p.y + t * (q.y - p.y) }; }
        }
        memcpy(from, to, m * sizeof *to), n = m;
    }
    double area = 0;
    for (int i = 0; i < n; i++) area += from[i].x * from[(i + 1) % n].y - from[(i + 1) % n].x * from[i].y;
    return area / 2;
}

static double clusters(void) {
    point centre[CLUSTERS], sum[CLUSTERS];
    int count[CLUSTERS];
    double total = 0;
    for (int k = 0; k < CLUSTERS; k++) centre[k] = points[k * N / CLUSTERS];
    for (int round = 0; round < 12; round++) {
        memset(sum, 0, sizeof sum), memset(count, 0, sizeof count), total = 0;
        for (int i = 0; i < N; i++) {
            int best = 0;
            double least = 1e18;
            for (int k = 0; k < CLUSTERS; k++) {
                double dx = points[i].x - centre[k].x, dy = points[i].y - centre[k].y, d = dx * dx + dy * dy;
                if (d < least) least = d, best = k;
            }
            sum[best].x += points[i].x, sum[best].y += points[i].y, count[best]++, total += sqrt(least);
        }
        for (int k = 0; k < CLUSTERS; k++) if (count[k]) centre[k] = (point){ sum[k].x / count[k], sum[k].y / count[k] };
    }
    return total;
}

static double spline(void) {
    double length = 0;
    point last = points[1];
    for (int i = 1; i + 2 < N; i++)
        for (int s = 1; s <= 8; s++) {
            double t = s / 8.0, t2 = t * t, t3 = t2 * t, a = -t3 + 2 * t2 - t, b = 3 * t3 - 5 * t2 + 2, c = -3 * t3 + 4 * t2 + t, d = t3 - t2;
            const point *p = points + i - 1;
            point at = { (a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x) / 2, (a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y) / 2 };
            length += hypot(at.x - last.x, at.y - last.y) * (1 + atan2(at.y - last.y, at.x - last.x) / 10), last = at;
        }
    return length;
}

PROGRAM run(i32 rounds) {
    u32 sum = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) points[i] = (point){ rng_unit() * 100, rng_unit() * 100 };
        int n = convex_hull();
        sum = mix(mix(sum, n), delaunay());
        sum = mix_double(mix_double(mix_double(sum, clipped_area(n, r * 0.1)), clusters()), spline());
    }
    return sum;
}
