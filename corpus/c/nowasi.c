// Stands in for the system below wasi-libc, so that programs which drag in stdio still import nothing: every call fails,
// the clock stands still, random numbers are zero.
#include <stdint.h>
#include <string.h>

enum { ENOSYS = 52, EBADF = 8 };
#define SYSTEM(name) __imported_wasi_snapshot_preview1_##name
#define REFUSE(name, ...) int32_t SYSTEM(name)(__VA_ARGS__) { return ENOSYS; }
#define I int32_t
#define L int64_t

int32_t SYSTEM(clock_time_get)(I clock, L precision, I out) {
    (void)clock, (void)precision;
    *(int64_t *)out = 1000000000000000000;
    return 0;
}

int32_t SYSTEM(random_get)(I out, I len) { memset((void *)out, 0, len); return 0; }
int32_t SYSTEM(environ_sizes_get)(I count, I size) { *(I *)count = 0, *(I *)size = 0; return 0; }
int32_t SYSTEM(fd_prestat_get)(I fd, I out) { (void)fd, (void)out; return EBADF; }
_Noreturn void SYSTEM(proc_exit)(I code) { (void)code; __builtin_trap(); }

#pragma clang diagnostic ignored "-Wunused-parameter"
REFUSE(args_get, I a, I b)
REFUSE(args_sizes_get, I a, I b)
REFUSE(clock_res_get, I a, I b)
REFUSE(environ_get, I a, I b)
REFUSE(fd_advise, I a, L b, L c, I d)
REFUSE(fd_allocate, I a, L b, L c)
REFUSE(fd_close, I a)
REFUSE(fd_datasync, I a)
REFUSE(fd_fdstat_get, I a, I b)
REFUSE(fd_fdstat_set_flags, I a, I b)
REFUSE(fd_filestat_get, I a, I b)
REFUSE(fd_filestat_set_size, I a, L b)
REFUSE(fd_filestat_set_times, I a, L b, L c, I d)
REFUSE(fd_pread, I a, I b, I c, L d, I e)
REFUSE(fd_prestat_dir_name, I a, I b, I c)
REFUSE(fd_pwrite, I a, I b, I c, L d, I e)
REFUSE(fd_read, I a, I b, I c, I d)
REFUSE(fd_readdir, I a, I b, I c, L d, I e)
REFUSE(fd_renumber, I a, I b)
REFUSE(fd_seek, I a, L b, I c, I d)
REFUSE(fd_sync, I a)
REFUSE(fd_tell, I a, I b)
REFUSE(fd_write, I a, I b, I c, I d)
REFUSE(path_create_directory, I a, I b, I c)
REFUSE(path_filestat_get, I a, I b, I c, I d, I e)
REFUSE(path_filestat_set_times, I a, I b, I c, I d, L e, L f, I g)
REFUSE(path_link, I a, I b, I c, I d, I e, I f, I g)
REFUSE(path_open, I a, I b, I c, I d, I e, L f, L g, I h, I i)
REFUSE(path_readlink, I a, I b, I c, I d, I e, I f)
REFUSE(path_remove_directory, I a, I b, I c)
REFUSE(path_rename, I a, I b, I c, I d, I e, I f)
REFUSE(path_symlink, I a, I b, I c, I d, I e)
REFUSE(path_unlink_file, I a, I b, I c)
REFUSE(poll_oneoff, I a, I b, I c, I d)
REFUSE(sched_yield, void)
