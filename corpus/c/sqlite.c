// SQLite on a database in memory: inserts, an index, joins, grouping, text functions, updates.
#include "corpus.h"
#include <sqlite3.h>
#include <stdio.h>

static u32 sum;

static int row(void *unused, int columns, char **values, char **names) {
    (void)unused, (void)names;
    for (int i = 0; i < columns; i++) sum = mix_bytes(sum, values[i] ? values[i] : "-", values[i] ? strlen(values[i]) : 1);
    return 0;
}

static void sql(sqlite3 *db, const char *text) {
    if (sqlite3_exec(db, text, row, NULL, NULL) != SQLITE_OK) __builtin_trap();
}

PROGRAM run(i32 rows) {
    sqlite3 *db;
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") != SQLITE_OK) return -1;
    sql(db, "CREATE TABLE town(id INTEGER PRIMARY KEY, name TEXT, people INT, country INT);"
            "CREATE TABLE country(id INTEGER PRIMARY KEY, name TEXT UNIQUE); BEGIN;");
    for (int i = 0; i < 20; i++) {
        char text[80];
        snprintf(text, sizeof text, "INSERT INTO country VALUES(%d, 'land %c%u')", i, 'a' + i, rng() % 100);
        sql(db, text);
    }
    sqlite3_stmt *insert;
    sqlite3_prepare_v2(db, "INSERT INTO town(name, people, country) VALUES(?1, ?2, ?3)", -1, &insert, NULL);
    for (int i = 0; i < rows; i++) {
        char name[24];
        int n = snprintf(name, sizeof name, "town %x", rng() % 5000);
        sqlite3_bind_text(insert, 1, name, n, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 2, (int)(rng() % 1000000));
        sqlite3_bind_int(insert, 3, (int)(rng() % 20));
        if (sqlite3_step(insert) != SQLITE_DONE) return -2;
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sql(db, "COMMIT; CREATE INDEX by_people ON town(people);"
            "SELECT c.name, count(*), sum(people), avg(people) FROM town t JOIN country c ON c.id = t.country GROUP BY c.id ORDER BY 3 DESC;"
            "SELECT upper(name) || '!', length(name) FROM town WHERE people BETWEEN 1000 AND 50000 AND name LIKE '%a%' ORDER BY name LIMIT 40;"
            "UPDATE town SET people = people * 1.1 + id % 7 WHERE country % 3 = 1;"
            "DELETE FROM town WHERE id % 10 = 3;"
            "WITH RECURSIVE s(n, x) AS (SELECT 1, 1 UNION ALL SELECT n + 1, (x * 31 + 7) % 1009 FROM s WHERE n < 500) SELECT max(x), total(x) FROM s;"
            "SELECT group_concat(name, '/') FROM (SELECT DISTINCT name FROM town ORDER BY people DESC LIMIT 25);"
            "SELECT printf('%.2f', sum(people * 1.0 / id)) FROM town;");
    sqlite3_close(db);
    return sum;
}
