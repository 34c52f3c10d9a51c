/* Gives a running server a bad disk or a wrong clock, and takes it away again.
 *
 * Loaded before a server (LD_PRELOAD), it looks into the file that FAULT_SWITCH names whenever the server touches one of
 * the journal's files or the wall clock. What stands there holds from then on; an empty or missing file is no fault:
 *
 *   full       writing fails for want of room (ENOSPC)
 *   io         writing fails (EIO)
 *   sync       syncing fails (EIO)
 *   readonly   writing and opening for writing fail (EROFS)
 *   clock N    the wall clock is N seconds ahead, or behind where N is negative
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_clock)(clockid_t, struct timespec *);
static const char *control;

__attribute__((constructor)) static void init(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_open = dlsym(RTLD_NEXT, "open64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_clock = dlsym(RTLD_NEXT, "clock_gettime");
    control = getenv("FAULT_SWITCH");
}

static void fault(char *word, size_t length) {
    word[0] = 0;
    if (!control || !real_open) return;
    int saved = errno, fd = real_open(control, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, word, length - 1);
        word[n > 0 ? n : 0] = 0;
        close(fd);
    }
    errno = saved;
}

static int is(const char *what) {
    char word[64];
    fault(word, sizeof word);
    return strncmp(word, what, strlen(what)) == 0;
}

static int journal_path(const char *path) { return strstr(path, "onesec.db") || strstr(path, "onesec.lock"); }

static int journal(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return journal_path(path) && !strstr(path, "-shm");
}

static int refused(int fd) {
    if (fd <= 2 || !journal(fd)) return 0;
    if (is("full")) return ENOSPC;
    if (is("io")) return EIO;
    if (is("readonly")) return EROFS;
    return 0;
}

ssize_t write(int fd, const void *data, size_t length) {
    int why = refused(fd);
    if (why) { errno = why; return -1; }
    return real_write(fd, data, length);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    int why = refused(fd);
    if (why) { errno = why; return -1; }
    return real_pwrite(fd, data, length, offset);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) != O_RDONLY && journal_path(path) && is("readonly")) { errno = EROFS; return -1; }
    return real_open(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}
int fsync(int fd) {
    if (journal(fd) && is("sync")) { errno = EIO; return -1; }
    return real_fsync(fd);
}
int fdatasync(int fd) {
    if (journal(fd) && is("sync")) { errno = EIO; return -1; }
    return real_fdatasync(fd);
}
int clock_gettime(clockid_t which, struct timespec *now) {
    int done = real_clock(which, now);
    char word[64];
    if (done == 0 && which == CLOCK_REALTIME) {
        fault(word, sizeof word);
        if (strncmp(word, "clock ", 6) == 0) now->tv_sec += atol(word + 6);
    }
    return done;
}
