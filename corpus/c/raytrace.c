// Spheres over a chequered floor with reflections, in f32.
#include "corpus.h"
#include <math.h>

typedef struct { float x, y, z; } vec;
typedef struct { vec centre; float radius; vec colour; float mirror; } sphere;

static vec add(vec a, vec b) { return (vec){ a.x + b.x, a.y + b.y, a.z + b.z }; }
static vec sub(vec a, vec b) { return (vec){ a.x - b.x, a.y - b.y, a.z - b.z }; }
static vec scale(vec a, float s) { return (vec){ a.x * s, a.y * s, a.z * s }; }
static float dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return scale(a, 1.0f / sqrtf(dot(a, a))); }

enum { SPHERES = 6 };
static sphere scene[SPHERES];
static const vec light = { 0.58f, 0.58f, -0.58f };

static int hit(vec from, vec dir, float *distance) {
    int nearest = -1;
    for (int i = 0; i < SPHERES; i++) {
        vec to = sub(scene[i].centre, from);
        float along = dot(to, dir), gap = dot(to, to) - along * along, r2 = scene[i].radius * scene[i].radius;
        if (gap > r2) continue;
        float half = sqrtf(r2 - gap), t = along - half > 1e-3f ? along - half : along + half;
        if (t > 1e-3f && t < *distance) *distance = t, nearest = i;
    }
    return nearest;
}

static vec trace(vec from, vec dir, int depth) {
    float t = 1e9f;
    int i = hit(from, dir, &t);
    vec at, normal, colour;
    float mirror;
    if (i >= 0) {
        at = add(from, scale(dir, t));
        normal = unit(sub(at, scene[i].centre));
        colour = scene[i].colour, mirror = scene[i].mirror;
    } else if (dir.y < -1e-3f) {
        at = add(from, scale(dir, (from.y + 1.0f) / -dir.y));
        normal = (vec){ 0, 1, 0 };
        float tile = ((int)floorf(at.x) + (int)floorf(at.z)) & 1 ? 0.9f : 0.2f;
        colour = (vec){ tile, tile, tile }, mirror = 0.1f;
    } else {
        return (vec){ 0.4f + 0.3f * dir.y, 0.6f, 0.9f };
    }
    float shade = dot(normal, light), blocked = 1e9f;
    if (shade < 0 || hit(at, light, &blocked) >= 0) shade = 0;
    colour = scale(colour, 0.2f + 0.8f * shade);
    if (depth == 0 || mirror <= 0) return colour;
    vec bounce = sub(dir, scale(normal, 2 * dot(dir, normal)));
    return add(scale(colour, 1 - mirror), scale(trace(at, bounce, depth - 1), mirror));
}

PROGRAM run(i32 size) {
    for (int i = 0; i < SPHERES; i++)
        scene[i] = (sphere){ { i * 1.1f - 2.8f, 0.3f * (i & 1), 3.0f + 0.7f * (i % 3) }, 0.5f + 0.1f * i,
            { 0.2f + 0.13f * i, 0.9f - 0.1f * i, 0.5f }, 0.15f * (i & 3) };
    u32 sum = 0;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            vec dir = unit((vec){ (x - size / 2) / (float)size, (size / 2 - y) / (float)size, 0.8f });
            vec c = trace((vec){ 0, 0.4f, -2.5f }, dir, 3);
            sum = mix(sum, (u32)(c.x * 255) << 16 | (u32)(c.y * 255) << 8 | (u32)(c.z * 255));
        }
    return sum;
}
