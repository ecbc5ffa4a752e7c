// Creates a database file in the first run, opens and queries it in the second. The exit code is the number of rows deleted.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_row(void *unused, int columns, char **values, char **names) {
    (void)unused;
    for (int i = 0; i < columns; i++) printf("%s%s=%s", i ? " " : "", names[i], values[i] ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

static void sql(sqlite3 *db, const char *text) {
    char *message = NULL;
    if (sqlite3_exec(db, text, print_row, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "error: %s\nin: %s\n", message, text);
        exit(1);
    }
}

static void create(sqlite3 *db) {
    sql(db, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 1024;"
            "CREATE TABLE bird(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, grams REAL, seen DATE);"
            "CREATE INDEX by_weight ON bird(grams);"
            "INSERT INTO bird(name, grams, seen) VALUES"
            " ('goldcrest', 5.7, '2024-02-29'), ('wren', 9.5, '2023-12-31'), ('firecrest', 5.5, NULL), ('robin', 18.25, '2024-07-01');"
            "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
            " INSERT INTO bird(name, grams) SELECT printf('bird %04d', i), (i * 7919) % 1000 / 10.0 FROM n; COMMIT;"
            "BEGIN; DELETE FROM bird; ROLLBACK;");
}

static void query(sqlite3 *db) {
    sql(db, "PRAGMA integrity_check;"
            "SELECT count(*) AS birds, round(avg(grams), 3) AS mean, max(length(name)) AS longest FROM bird;"
            "SELECT name, grams, date(seen, '+1 day') AS next FROM bird WHERE name NOT LIKE 'bird %' ORDER BY grams;"
            "SELECT grams, count(*) AS n FROM bird WHERE grams BETWEEN 5.5 AND 5.8 GROUP BY grams HAVING n > 0 ORDER BY 1;"
            "SELECT hex(sum(id * id) % 65521) AS hash, round(sqrt(sum(grams)), 6) AS root FROM bird;");
    sql(db, "DELETE FROM bird WHERE grams = 18.2 OR name = 'robin';");
}

int main(int argc, char **argv) {
    sqlite3 *db;
    if (argc != 3 || sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") != SQLITE_OK) {
        fprintf(stderr, "usage: sqlite create|query FILE\n");
        return 1;
    }
    if (strcmp(argv[1], "create") == 0) create(db); else query(db);
    int changes = strcmp(argv[1], "query") == 0 ? sqlite3_changes(db) : 0;
    printf("closed: %d\n", sqlite3_close(db));
    return changes;
}
