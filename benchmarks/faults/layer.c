/* Between a program and libc: every change to files below one directory is counted, and may be written down, refused or
 * be the program's last; every clock_gettime(CLOCK_REALTIME) may be shifted; posix_spawn may be refused but each n-th time.
 *
 * What to do is read at each call from a file that whoever tests has mapped too (FAULT_CONTROL), so that it can change
 * while the program runs. FAULT_ROOT is the directory, FAULT_JOURNAL the file to which changes are appended. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NOTHING, FAIL, KILL };
struct control {
    int64_t counted; /* changes so far */
    int64_t at;      /* the first that is done for; 0: none */
    int64_t times;   /* how many from there on; 0: all */
    int64_t what;
    int64_t error;
    int64_t shift;    /* seconds by which the calendar is wrong */
    int64_t spawns;   /* so far */
    int64_t every;    /* of these only each n-th is let through; 0: all */
    int64_t refused;  /* changes and spawns that were */
    int64_t only_pid; /* 0: whoever has loaded this */
};
struct entry {
    int64_t kind, offset, path_length, data_length;
};
static volatile struct control *control;
static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_CONTROL"), *where = getenv("FAULT_ROOT"), *log = getenv("FAULT_JOURNAL");
    if (!path || !where) return;
    int fd = REAL(open64)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found == MAP_FAILED) return;
    root_length = (size_t)snprintf(root, sizeof root, "%s/", where);
    if (log) {
        fd = REAL(open64)(log, O_WRONLY | O_APPEND | O_CLOEXEC);
        journal = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
    }
    control = found;
}

static int is_below(const char *path) { return control && strncmp(path, root, root_length) == 0; }

/* The path of an open file or directory, when it is below the root. */
static int path_of(int fd, char *path) {
    if (!control) return 0;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static void whole(const char *path, char *found) {
    if (path[0] == '/') snprintf(found, PATH_MAX, "%s", path);
    else if (getcwd(found, PATH_MAX - 2)) {
        size_t length = strlen(found);
        snprintf(found + length, PATH_MAX - length, "/%s", path);
    }
}

/* One change is about to be made: -1 with errno when it is refused. */
static int allowed(int can_be_full) {
    if (control->only_pid && control->only_pid != getpid()) return 0;
    int64_t number = __sync_add_and_fetch(&control->counted, 1);
    if (!control->at || number < control->at) return 0;
    if (control->times && number >= control->at + control->times) return 0;
    if (control->what == KILL) kill(getpid(), SIGKILL);
    if (control->what != FAIL || (control->error == ENOSPC && !can_be_full)) return 0;
    __sync_add_and_fetch(&control->refused, 1);
    errno = (int)control->error;
    return -1;
}

static void note(char kind, const char *path, int64_t offset, const void *data, int64_t length) {
    if (journal < 0) return;
    int kept = errno;
    const char *name = path + root_length;
    struct entry entry = {kind, offset, (int64_t)strlen(name), length};
    struct iovec parts[3] = {{&entry, sizeof entry}, {(void *)name, strlen(name)}, {(void *)data, (size_t)length}};
    if (REAL(writev)(journal, parts, 3) < 0) abort();
    errno = kept;
}

static int64_t end_of_write(int fd, ssize_t written) {
    struct stat found;
    if (fcntl(fd, F_GETFL) & O_APPEND) return fstat(fd, &found) ? 0 : found.st_size - written;
    return lseek(fd, 0, SEEK_CUR) - written;
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(write)(fd, data, length);
    if (allowed(1)) return -1;
    ssize_t done = REAL(write)(fd, data, length);
    if (done > 0) note('w', path, end_of_write(fd, done), data, done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(pwrite64)(fd, data, length, offset);
    if (allowed(1)) return -1;
    ssize_t done = REAL(pwrite64)(fd, data, length, offset);
    if (done > 0) note('w', path, offset, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

#define ON_FILE(name, declared, given, full, kind, value)      \
    int name declared {                                        \
        char path[PATH_MAX];                                   \
        if (!path_of(fd, path)) return REAL(name) given;       \
        if (allowed(full)) return -1;                          \
        int done = REAL(name) given;                           \
        if (!done) note(kind, path, value, NULL, 0);           \
        return done;                                           \
    }
ON_FILE(ftruncate, (int fd, off_t length), (fd, length), 1, 't', length)
ON_FILE(ftruncate64, (int fd, off64_t length), (fd, length), 1, 't', length)
ON_FILE(fsync, (int fd), (fd), 1, 's', 0)
ON_FILE(fdatasync, (int fd), (fd), 1, 's', 0)

static int opened(const char *name, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    char path[PATH_MAX];
    whole(name, path);
    if (!is_below(path) || !(flags & (O_CREAT | O_TRUNC))) return real(name, flags, mode);
    int is_there = access(path, F_OK) == 0;
    if (!is_there && allowed(1)) return -1;
    int fd = real(name, flags, mode);
    if (fd >= 0 && !is_there) note('c', path, 0, NULL, 0);
    if (fd >= 0 && is_there && flags & O_TRUNC) note('t', path, 0, NULL, 0);
    return fd;
}
#define OPEN(name)                                              \
    int name(const char *path, int flags, ...) {                \
        va_list more;                                           \
        va_start(more, flags);                                  \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more);                                           \
        return opened(path, flags, mode, REAL(name));           \
    }
OPEN(open)
OPEN(open64)

int rename(const char *old, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    whole(old, from), whole(new, to);
    if (!is_below(from)) return REAL(rename)(old, new);
    if (allowed(1)) return -1;
    int done = REAL(rename)(old, new);
    if (!done) note('r', from, 0, to + root_length, (int64_t)strlen(to + root_length));
    return done;
}

/* Only of what `old` leads to, as a link of /proc does. */
int linkat(int there, const char *old, int here, const char *new, int flags) {
    char from[PATH_MAX], to[PATH_MAX];
    whole(new, to);
    ssize_t length = readlinkat(there, old, from, PATH_MAX - 1);
    if (!is_below(to) || length < 0) return REAL(linkat)(there, old, here, new, flags);
    from[length] = 0;
    if (allowed(1)) return -1;
    int done = REAL(linkat)(there, old, here, new, flags);
    if (!done && is_below(from)) note('l', from, 0, to + root_length, (int64_t)strlen(to + root_length));
    return done;
}

#define ON_PATH(name, declared, given, full, kind)       \
    int name declared {                                  \
        char path[PATH_MAX];                             \
        whole(wanted, path);                             \
        if (!is_below(path)) return REAL(name) given;    \
        if (allowed(full)) return -1;                    \
        int done = REAL(name) given;                     \
        if (!done) note(kind, path, 0, NULL, 0);         \
        return done;                                     \
    }
ON_PATH(unlink, (const char *wanted), (wanted), 0, 'u')
ON_PATH(mkdir, (const char *wanted, mode_t mode), (wanted, mode), 1, 'm')

int clock_gettime(clockid_t clock, struct timespec *found) {
    int done = REAL(clock_gettime)(clock, found);
    if (control && !done && clock == CLOCK_REALTIME) found->tv_sec += control->shift;
    return done;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *how,
                char *const argv[], char *const env[]) {
    if (control && (!control->only_pid || control->only_pid == getpid())) {
        int64_t number = __sync_add_and_fetch(&control->spawns, 1);
        if (control->every && number % control->every) {
            __sync_add_and_fetch(&control->refused, 1);
            return EAGAIN;
        }
    }
    return REAL(posix_spawn)(pid, path, actions, how, argv, env);
}
