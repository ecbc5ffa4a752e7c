// Clocks, sleeping, polling with a timeout, random bytes. Prints only what does not depend on the moment.
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return -1;
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
    struct timespec resolution, ms = { 0, 15000000 };
    printf("resolution: %d\n", clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    printf("year: %d\n", now(CLOCK_REALTIME) / 1000000000 > 1700000000);

    long long start = now(CLOCK_MONOTONIC), last = start, backwards = 0;
    for (int i = 0; i < 1000; i++) {
        long long t = now(CLOCK_MONOTONIC);
        backwards += t < last, last = t;
    }
    printf("backwards: %lld\n", backwards);
    start = now(CLOCK_MONOTONIC);
    printf("sleep: %d", nanosleep(&ms, NULL));
    long long slept = now(CLOCK_MONOTONIC) - start;
    printf(" %d\n", slept >= 15000000 && slept < 10000000000LL);
    start = now(CLOCK_MONOTONIC);
    struct pollfd out = { .fd = 1, .events = POLLOUT };
    printf("poll: %d %d\n", poll(&out, 1, 5000), !!(out.revents & POLLOUT));
    printf("at once: %d\n", now(CLOCK_MONOTONIC) - start < 4000000000LL);

    unsigned char a[64] = { 0 }, b[64] = { 0 };
    printf("random: %d %d %d\n", getentropy(a, 64), getentropy(b, 64), memcmp(a, b, 64) != 0);
    return 0;
}
