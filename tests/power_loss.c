/* Remembers what a power failure would take back.
 *
 * Loaded before a server (LD_PRELOAD), it notes for every write to the journal's files what stood there before, in a
 * file `<name>.undo` beside it, and forgets the notes when the file is synced. After the server was killed, whoever
 * rolls the notes back has the files as a disk would have them that lost power at that moment: `kill -9` alone takes
 * back nothing, because the kernel still holds what was written.
 *
 * With POWER_LOSS_DIE=write:N the process dies in the middle of its Nth write to the journal's files, half of which is
 * there then: a torn page. `sync:N` is before the Nth sync of one, `synced:N` after it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { dev_t dev; ino_t ino; int undo; } files[FILES];
static int count;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static char die_at[16];
static long die_in;

__attribute__((constructor)) static void init(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *die = getenv("POWER_LOSS_DIE");
    if (die && sscanf(die, "%15[a-z]:%ld", die_at, &die_in) != 2) die_in = 0;
    /* Programs that the server starts are none of the test's. */
    unsetenv("POWER_LOSS_DIE");
}

/* The notes of a journal file, or -1 for any other. The lock is held. */
static int undo_of(int fd, struct stat *st) {
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) return -1;
    for (int i = 0; i < count; i++)
        if (files[i].dev == st->st_dev && files[i].ino == st->st_ino) return files[i].undo;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 16);
    if (n <= 0 || count == FILES) return -1;
    path[n] = 0;
    int journal = strstr(path, "onesec.db") && !strstr(path, "-shm") && !strstr(path, ".undo");
    int undo = -1;
    if (journal) {
        strcat(path, ".undo");
        undo = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    }
    files[count].dev = st->st_dev;
    files[count].ino = st->st_ino;
    files[count++].undo = undo;
    return undo;
}

/* Whether this is where the process is to die. The file is one of the journal's. */
static int time_to_die(int fd, const char *at) {
    if (die_in <= 0 || strcmp(at, die_at) != 0) return 0;
    pthread_mutex_lock(&lock);
    struct stat st;
    int now = undo_of(fd, &st) >= 0 && --die_in == 0;
    pthread_mutex_unlock(&lock);
    return now;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* A note: offset, how much stood there, the file's size, and what stood there. */
static void note(int fd, off_t offset, size_t length) {
    pthread_mutex_lock(&lock);
    struct stat st;
    int undo = undo_of(fd, &st);
    if (undo >= 0) {
        char *old = malloc(length ? length : 1);
        ssize_t had = length ? pread(fd, old, length, offset) : 0;
        if (had < 0) had = 0;
        uint64_t head[3] = {(uint64_t)offset, (uint64_t)had, (uint64_t)st.st_size};
        real_write(undo, head, sizeof head);
        if (had > 0) real_write(undo, old, (size_t)had);
        free(old);
    }
    pthread_mutex_unlock(&lock);
}

static void forget(int fd) {
    pthread_mutex_lock(&lock);
    struct stat st;
    int undo = undo_of(fd, &st);
    if (undo >= 0) {
        real_ftruncate(undo, 0);
        lseek(undo, 0, SEEK_SET);
    }
    pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *data, size_t length) {
    if (fd > 2) note(fd, lseek(fd, 0, SEEK_CUR), length);
    return real_write(fd, data, length);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    note(fd, offset, length);
    if (time_to_die(fd, "write")) {
        real_pwrite(fd, data, length / 2, offset);
        die();
    }
    return real_pwrite(fd, data, length, offset);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
int ftruncate64(int fd, off_t size) {
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > size) note(fd, size, (size_t)(st.st_size - size));
    return real_ftruncate(fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
int fsync(int fd) {
    if (time_to_die(fd, "sync")) die();
    int done = real_fsync(fd);
    if (done == 0) forget(fd);
    if (time_to_die(fd, "synced")) die();
    return done;
}
int fdatasync(int fd) {
    if (time_to_die(fd, "sync")) die();
    int done = real_fdatasync(fd);
    if (done == 0) forget(fd);
    if (time_to_die(fd, "synced")) die();
    return done;
}
