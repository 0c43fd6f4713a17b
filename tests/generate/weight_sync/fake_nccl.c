/* Stands for libnccl.so.2: records what it is called with in a file, so that a test sees every argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char internal[128]; } ncclUniqueId;

static FILE *record(void) { return fopen(getenv("FAKE_NCCL_LOG"), "a"); }

int ncclGetUniqueId(ncclUniqueId *id) {
    for (int place = 0; place < 128; place++) id->internal[place] = (char)place;
    return 0;
}

int ncclCommInitRank(void **comm, int ranks, ncclUniqueId id, int rank) {
    int right = 1;
    for (int place = 0; place < 128; place++) right &= id.internal[place] == (char)place;
    *comm = (void *)0x1234567812345678;
    FILE *file = record();
    fprintf(file, "init %d %d %s\n", ranks, rank, right ? "same id" : "another id");
    fclose(file);
    return 0;
}

int ncclAllReduce(const void *send, void *receive, size_t count, int type, int op, void *comm, void *stream) {
    FILE *file = record();
    fprintf(file, "all_reduce %zu %d %d %d %p\n", count, type, op, comm == (void *)0x1234567812345678, stream);
    fclose(file);
    return send != receive;
}

int ncclBroadcast(const void *send, void *receive, size_t count, int type, int root, void *comm, void *stream) {
    FILE *file = record();
    fprintf(file, "broadcast %zu %d %d %d ", count, type, root, comm == (void *)0x1234567812345678);
    size_t bytes = count * (type == 9 || type == 6 ? 2 : type == 8 ? 8 : 4);
    for (size_t place = 0; place < bytes; place++) fprintf(file, "%02x", ((const unsigned char *)send)[place]);
    fprintf(file, "\n");
    fclose(file);
    return getenv("FAKE_NCCL_FAIL") ? 3 : send != receive;
}

int ncclCommAbort(void *comm) {
    FILE *file = record();
    fprintf(file, "abort %d\n", comm == (void *)0x1234567812345678);
    fclose(file);
    return 0;
}
