// Copies standard input to standard output in capitals, then counts it like wc.
#include <ctype.h>
#include <stdio.h>

int main(void) {
    long lines = 0, words = 0, bytes = 0;
    int inside = 0;
    for (int c; (c = getchar()) != EOF; bytes++) {
        putchar(toupper(c));
        if (c == '\n') lines++;
        if (isspace(c)) inside = 0; else if (!inside) inside = 1, words++;
    }
    printf("%ld lines, %ld words, %ld bytes\n", lines, words, bytes);
    return ferror(stdin) || !feof(stdin);
}
