/* The least that starting programs takes: spawn-loop COUNT LIMIT. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    char *const words[] = {"true", NULL};
    long count = argc == 3 ? atol(argv[1]) : 0, limit = argc == 3 ? atol(argv[2]) : 0;
    for (long started = 0, ended = 0; ended < count; ended++) {
        pid_t pid;
        for (; started < count && started - ended < limit; started++)
            if (posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ))
                return 1;
        if (wait(NULL) < 0)
            return 1;
    }
    return 0;
}
