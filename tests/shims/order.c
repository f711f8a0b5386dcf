/* Preloaded into the binary by tests/e2e/durable.rs: writes down, in order, what is made durable and what is named.
 *
 * One line for each call, in the file that DURABLE_LOG names:
 *   sync PATH          the file or folder was flushed
 *   name FROM TO       a file got a name (rename, link)
 *   folder PATH        a folder was made
 *   ledger ADDRESS     the ledger's write-ahead log is about to name this manifest or intent
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *what, const char *one, const char *two) {
    char line[9000];
    const char *log = getenv("DURABLE_LOG");
    if (!log) return;
    int length = snprintf(line, sizeof line, two ? "%s %s %s\n" : "%s %s\n", what, one, two);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || length < 0) abort();
    /* The real write: this one would look for addresses. */
    if (REAL(write)(file, line, (size_t)length) != length) abort();
    close(file);
}

static int path_of(int file, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static void note_sync(int file) {
    char path[4200];
    if (path_of(file, path, sizeof path)) note("sync", path, NULL);
}

int fsync(int file) {
    int done = REAL(fsync)(file);
    if (done == 0) note_sync(file);
    return done;
}

int fdatasync(int file) {
    int done = REAL(fdatasync)(file);
    if (done == 0) note_sync(file);
    return done;
}

int rename(const char *from, const char *to) {
    int done = REAL(rename)(from, to);
    if (done == 0) note("name", from, to);
    return done;
}

int link(const char *from, const char *to) {
    int done = REAL(link)(from, to);
    if (done == 0) note("name", from, to);
    return done;
}

int linkat(int at, const char *from, int to_at, const char *to, int flags) {
    int done = REAL(linkat)(at, from, to_at, to, flags);
    if (done == 0) note("name", from, to);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    int done = REAL(mkdir)(path, mode);
    if (done == 0) note("folder", path, NULL);
    return done;
}

static int in_address(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("/._#-", c);
}

static void look(int file, const void *bytes, size_t count) {
    static const char *const folders[] = {"manifests/", "intents/"};
    char path[4200];
    if (!path_of(file, path, sizeof path) || !strstr(path, "ledger.db")) return;
    for (int which = 0; which < 2; which++) {
        const char *from = bytes, *end = from + count, *found;
        while ((found = memmem(from, (size_t)(end - from), folders[which], strlen(folders[which])))) {
            char address[300];
            size_t length = 0;
            while (found + length < end && length < sizeof address - 1 && found[length] && in_address(found[length])) {
                address[length] = found[length];
                length++;
            }
            address[length] = 0;
            note("ledger", address, NULL);
            from = found + length;
        }
    }
}

ssize_t write(int file, const void *bytes, size_t count) {
    look(file, bytes, count);
    return REAL(write)(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    look(file, bytes, count);
    return REAL(pwrite)(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    look(file, bytes, count);
    return REAL(pwrite64)(file, bytes, count, at);
}
