// Arguments, environment, both output streams, exit code = number of arguments.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) printf("%d: %s\n", i, argv[i]);
    const char *bird = getenv("BIRD"), *absent = getenv("ABSENT");
    printf("BIRD=%s ABSENT=%s\n", bird ? bird : "(none)", absent ? absent : "(none)");
    fprintf(stderr, "to standard error\n");
    return argc - 1;
}
