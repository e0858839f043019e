/* Ends the process in the middle of a file operation, as a power failure would.

     gcc -O1 -shared -fPIC -o crash.so crash.c -ldl
     CRASH_UNDER=/path/of/run CRASH_AT=17 LD_PRELOAD=./crash.so python -m katrec.train …

   Operations (creating, writing, renaming, removing) on files whose path begins with CRASH_UNDER are counted. At the
   one of number CRASH_AT half of what was to be written reaches the file, then SIGKILL. CRASH_LOG: a file that gets the
   number of operations at the process's end, or the one at which it was killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static long counted;

static void say(const char *what, const char *path) {
  const char *log = getenv("CRASH_LOG");
  if (!log) return;
  FILE *file = NEXT(fopen)(log, "w");
  if (!file) return;
  fprintf(file, "%ld %s %s\n", counted, what, path);
  NEXT(fclose)(file);
}

__attribute__((destructor)) static void at_the_end(void) {
  if (getenv("CRASH_UNDER")) say("end", "");
}

/* Returns whether this operation is the one; counts it. */
static int now(const char *what, const char *path) {
  const char *under = getenv("CRASH_UNDER"), *at = getenv("CRASH_AT");
  if (!under || strncmp(path, under, strlen(under))) return 0;
  counted = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
  if (!at || counted != atol(at)) return 0;
  say(what, path);
  return 1;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static const char *name_of(int handle, char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
  return path;
}

ssize_t write(int handle, const void *bytes, size_t size) {
  char path[PATH_MAX];
  if (now("write", name_of(handle, path))) {
    NEXT(write)(handle, bytes, size / 2);
    die();
  }
  return NEXT(write)(handle, bytes, size);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
  char path[PATH_MAX];
  if (file != stdout && file != stderr && now("fwrite", name_of(fileno(file), path))) {
    NEXT(fwrite)(bytes, 1, size * count / 2, file);
    fflush(file);
    die();
  }
  return NEXT(fwrite)(bytes, size, count, file);
}

int rename(const char *from, const char *to) {
  if (now("rename", to)) die();
  return NEXT(rename)(from, to);
}

int unlink(const char *path) {
  if (now("unlink", path)) die();
  return NEXT(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
  if (now("mkdir", path)) die();
  return NEXT(mkdir)(path, mode);
}

#define OPENS(name)                                    \
  int name(const char *path, int flags, ...) {         \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    int mode = va_arg(rest, int);                      \
    va_end(rest);                                      \
    if ((flags & O_CREAT) && now("open", path)) die(); \
    return NEXT(name)(path, flags, mode);              \
  }
OPENS(open)
OPENS(open64)

#define FOPENS(name)                                        \
  FILE *name(const char *path, const char *mode) {          \
    if (*mode != 'r' && now("fopen", path)) die();          \
    return NEXT(name)(path, mode);                          \
  }
FOPENS(fopen)
FOPENS(fopen64)
