// Works in the directory /tmp: creates, writes, seeks, renames, links, lists, removes; then tries to get out of it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void report(const char *what, int result) {
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void list(const char *path) {
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, by_name);
    printf("%s:", path);
    for (int i = 0; i < n; i++)
        if (entries[i]->d_name[0] != '.') printf(" %s%s", entries[i]->d_name, entries[i]->d_type == DT_DIR ? "/" : entries[i]->d_type == DT_LNK ? "@" : "");
    putchar('\n');
}

static void size(const char *path) {
    struct stat s;
    if (stat(path, &s) < 0) printf("%s: %s\n", path, strerror(errno));
    else printf("%s: %s of %lld bytes\n", path, S_ISDIR(s.st_mode) ? "directory" : "file", S_ISDIR(s.st_mode) ? 0 : (long long)s.st_size);
}

int main(void) {
    char text[64] = { 0 };
    report("mkdir", mkdir("/tmp/nest", 0755));
    report("mkdir again", mkdir("/tmp/nest", 0755));
    int fd = open("/tmp/nest/egg", O_RDWR | O_CREAT | O_EXCL, 0644);
    report("create", fd);
    report("create again", open("/tmp/nest/egg", O_RDWR | O_CREAT | O_EXCL, 0644));
    printf("write: %zd\n", write(fd, "0123456789", 10));
    printf("seek: %lld\n", (long long)lseek(fd, -4, SEEK_END));
    printf("read: %zd", read(fd, text, sizeof text));
    printf(" %s\n", text);
    printf("pwrite: %zd, at %lld\n", pwrite(fd, "abc", 3, 2), (long long)lseek(fd, 0, SEEK_CUR));
    report("truncate", ftruncate(fd, 8));
    printf("pread: %zd", pread(fd, text, sizeof text, 1));
    printf(" %.7s\n", text);
    report("close", close(fd));
    report("close again", close(fd));
    report("read closed", read(fd, text, 1));
    size("/tmp/nest/egg");
    fd = open("/tmp/nest/egg", O_WRONLY | O_APPEND);
    printf("append: %zd\n", write(fd, "!!", 2));
    close(fd);
    report("rename", rename("/tmp/nest/egg", "/tmp/chick"));
    report("link", link("/tmp/chick", "/tmp/twin"));
    report("symlink", symlink("chick", "/tmp/alias"));
    printf("readlink: %zd", readlink("/tmp/alias", text, sizeof text));
    printf(" %.5s\n", text);
    list("/tmp");
    size("/tmp/alias");
    size("/tmp/nest");
    size("/tmp/absent");
    report("rmdir file", rmdir("/tmp/chick"));
    report("open directory to write", open("/tmp/nest", O_WRONLY));
    report("rename into nothing", rename("/tmp/chick", "/tmp/absent/chick"));
    report("unlink", unlink("/tmp/twin"));
    report("unlink alias", unlink("/tmp/alias"));
    report("unlink chick", unlink("/tmp/chick"));
    report("rmdir", rmdir("/tmp/nest"));
    list("/tmp");

    printf("parent: %d\n", open("/tmp/../etc/passwd", O_RDONLY) < 0);
    printf("absolute: %d\n", open("/etc/passwd", O_RDONLY) < 0);
    symlink("../../../../../../etc", "/tmp/out");
    symlink("/etc/passwd", "/tmp/secret");
    printf("through links: %d %d\n", open("/tmp/out/passwd", O_RDONLY) < 0, open("/tmp/secret", O_RDONLY) < 0);
    printf("up and back: %d\n", open("/tmp/nest/../../tmp", O_RDONLY) < 0);
    unlink("/tmp/out"), unlink("/tmp/secret");
    return 0;
}
