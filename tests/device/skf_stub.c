/* A vendor's SKF library (GM/T 0016) for tests: structs, two-call sizes and calling convention
 * are real, the token behind it is the process `fepsim signer`.
 *
 * It is asked at the socket LIBRARY.sock beside the library's own file. When nobody answers
 * there is no key in the slot. Build switches: -DULONG_BYTES=8 (careless Linux ports), and
 * -DPACK1 (structures without padding). Built by tests/device/skf.py with the system's gcc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef ULONG_BYTES
#define ULONG_BYTES 4
#endif
#if ULONG_BYTES == 8
typedef uint64_t ULONG;
#else
typedef uint32_t ULONG;
#endif
typedef uint8_t BYTE;
typedef int32_t BOOL;
typedef void *HANDLE;

#ifdef PACK1
#pragma pack(push, 1)
#endif
typedef struct { BYTE major, minor; } VERSION;
typedef struct {
    VERSION Version;
    char Manufacturer[64];
    char Issuer[64];
    char Label[32];
    char SerialNumber[32];
    VERSION HWVersion, FirmwareVersion;
    ULONG AlgSymCap, AlgAsymCap, AlgHashCap, DevAuthAlgId;
    ULONG TotalSpace, FreeSpace, MaxECCBufferSize, MaxBufferSize;
    BYTE Reserved[64];
} DEVINFO;
typedef struct { ULONG BitLen; BYTE X[64], Y[64]; } ECCPUBLICKEYBLOB;
typedef struct { BYTE r[64], s[64]; } ECCSIGNATUREBLOB;
#ifdef PACK1
#pragma pack(pop)
#endif

#define SAR_OK 0u
#define SAR_FAIL 0x0A000001u
#define SAR_INVALIDPARAMERR 0x0A000006u
#define SAR_BUFFER_TOO_SMALL 0x0A000020u
#define SAR_DEVICE_REMOVED 0x0A000023u
#define ANSWER_MAX 16384

static int line = -1;

static int plug(void) {
    Dl_info own;
    char path[4096], name[4096];
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    if (line >= 0) return line;
    if (!dladdr((void *)plug, &own) || strlen(own.dli_fname) > 4000) return -1;
    strcpy(path, own.dli_fname);
    snprintf(name, sizeof name, "%s.sock", basename(path));
    strcpy(path, own.dli_fname);
    /* A test's directory may be longer than a socket's name can be. */
    int directory = open(dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -1;
    snprintf(where.sun_path, sizeof where.sun_path, "/proc/self/fd/%d/%.60s", directory, name);
    line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(line, (struct sockaddr *)&where, sizeof where) != 0) {
        close(line);
        line = -1;
    }
    close(directory);
    return line;
}

static int pass(int out, BYTE *data, size_t left) {
    while (left) {
        ssize_t n = out ? send(line, data, left, MSG_NOSIGNAL) : recv(line, data, left, 0);
        if (n <= 0) {
            close(line);
            line = -1;
            return 0;
        }
        data += n;
        left -= (size_t)n;
    }
    return 1;
}

static void put32(BYTE *at, uint32_t value) {
    at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

static uint32_t get32(const BYTE *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Ask the token: an operation, a number, up to 4096 bytes; answer: SAR code, then bytes. */
static ULONG ask(BYTE op, uint32_t number, const void *data, uint32_t size, BYTE *answer,
                 uint32_t *got) {
    BYTE head[13], first[8];
    if (size > 4096) return SAR_INVALIDPARAMERR;
    put32(head, 9 + size), head[4] = op, put32(head + 5, number), put32(head + 9, size);
    for (int again = 0; again < 2; again++) {
        /* A line that the token has closed is noticed at the first use: plug in once more. */
        if (plug() < 0) return SAR_DEVICE_REMOVED;
        if (pass(1, head, sizeof head) && pass(1, (BYTE *)data, size) && pass(0, first, 8)) {
            uint32_t length = get32(first);
            if (length < 4 || length - 4 > ANSWER_MAX) return SAR_FAIL;
            *got = length - 4;
            return pass(0, answer, *got) ? get32(first + 4) : SAR_DEVICE_REMOVED;
        }
    }
    return SAR_DEVICE_REMOVED;
}

#define NUMBER(handle) ((uint32_t)(uintptr_t)(handle))
#define ASK(op, number, data, size) \
    BYTE answer[ANSWER_MAX + 1]; \
    uint32_t got = 0; \
    ULONG code = ask(op, number, data, size, answer, &got)

/* The pattern of every call that fills a buffer: no buffer, a small one, a good one. */
static ULONG fill(ULONG code, const BYTE *answer, uint32_t got, void *out, ULONG *size) {
    if (code != SAR_OK) return code;
    if (!size) return SAR_INVALIDPARAMERR;
    ULONG room = *size;
    *size = got;
    if (!out) return SAR_OK;
    if (room < got) return SAR_BUFFER_TOO_SMALL;
    memcpy(out, answer, got);
    return SAR_OK;
}

static ULONG handle_of(ULONG code, const BYTE *answer, uint32_t got, HANDLE *out) {
    if (code == SAR_OK && got == 4) *out = (HANDLE)(uintptr_t)get32(answer);
    return code;
}

ULONG SKF_EnumDev(BOOL present, char *names, ULONG *size) {
    ASK(1, (uint32_t)present, "", 0);
    if (code == SAR_DEVICE_REMOVED) code = SAR_OK, got = 1, answer[0] = 0;
    return fill(code, answer, got, names, size);
}

ULONG SKF_ConnectDev(const char *name, HANDLE *device) {
    ASK(2, 0, name, (uint32_t)strlen(name));
    return handle_of(code, answer, got, device);
}

ULONG SKF_DisConnectDev(HANDLE device) {
    ASK(3, NUMBER(device), "", 0);
    return code;
}

ULONG SKF_GetDevState(const char *name, ULONG *state) {
    ASK(4, 0, name, (uint32_t)strlen(name));
    if (code == SAR_DEVICE_REMOVED) code = SAR_OK, got = 4, put32(answer, 0);
    if (code == SAR_OK && got == 4) *state = get32(answer);
    return code;
}

static void text(char *out, size_t room, const BYTE **from) {
    strncpy(out, (const char *)*from, room);
    *from += strlen((const char *)*from) + 1;
}

ULONG SKF_GetDevInfo(HANDLE device, DEVINFO *info) {
    ASK(5, NUMBER(device), "", 0);
    if (code != SAR_OK) return code;
    const BYTE *from = answer + 4;
    answer[got] = 0;
    memset(info, 0, sizeof *info);
    info->Version.major = 1;
    info->AlgAsymCap = get32(answer);
    info->AlgHashCap = 1;
    info->TotalSpace = 65536, info->FreeSpace = 32768;
    text(info->Manufacturer, sizeof info->Manufacturer, &from);
    text(info->Issuer, sizeof info->Issuer, &from);
    text(info->Label, sizeof info->Label, &from);
    text(info->SerialNumber, sizeof info->SerialNumber, &from);
    return SAR_OK;
}

ULONG SKF_LockDev(HANDLE device, ULONG timeout_ms) {
    BYTE wait[4];
    put32(wait, (uint32_t)timeout_ms);
    ASK(6, NUMBER(device), wait, 4);
    return code;
}

ULONG SKF_UnlockDev(HANDLE device) {
    ASK(7, NUMBER(device), "", 0);
    return code;
}

ULONG SKF_EnumApplication(HANDLE device, char *names, ULONG *size) {
    ASK(8, NUMBER(device), "", 0);
    return fill(code, answer, got, names, size);
}

ULONG SKF_OpenApplication(HANDLE device, const char *name, HANDLE *application) {
    ASK(9, NUMBER(device), name, (uint32_t)strlen(name));
    return handle_of(code, answer, got, application);
}

ULONG SKF_CloseApplication(HANDLE application) {
    ASK(10, NUMBER(application), "", 0);
    return code;
}

ULONG SKF_VerifyPIN(HANDLE application, ULONG kind, const char *pin, ULONG *retries) {
    if (kind != 1) return SAR_INVALIDPARAMERR;
    ASK(11, NUMBER(application), pin, (uint32_t)strlen(pin));
    if (got == 4) *retries = get32(answer);
    return code;
}

ULONG SKF_GetPINInfo(HANDLE application, ULONG kind, ULONG *most, ULONG *left, BOOL *factory) {
    if (kind != 1) return SAR_INVALIDPARAMERR;
    ASK(12, NUMBER(application), "", 0);
    if (code == SAR_OK && got == 8) *most = get32(answer), *left = get32(answer + 4), *factory = 0;
    return code;
}

ULONG SKF_EnumContainer(HANDLE application, char *names, ULONG *size) {
    ASK(13, NUMBER(application), "", 0);
    return fill(code, answer, got, names, size);
}

ULONG SKF_OpenContainer(HANDLE application, const char *name, HANDLE *container) {
    ASK(14, NUMBER(application), name, (uint32_t)strlen(name));
    return handle_of(code, answer, got, container);
}

ULONG SKF_CloseContainer(HANDLE container) {
    ASK(15, NUMBER(container), "", 0);
    return code;
}

ULONG SKF_GetContainerType(HANDLE container, ULONG *kind) {
    ASK(16, NUMBER(container), "", 0);
    if (code == SAR_OK && got == 4) *kind = get32(answer);
    return code;
}

ULONG SKF_ExportCertificate(HANDLE container, BOOL sign, BYTE *der, ULONG *size) {
    ASK(17, NUMBER(container), sign ? "s" : "e", 1);
    return fill(code, answer, got, der, size);
}

ULONG SKF_ExportPublicKey(HANDLE container, BOOL sign, BYTE *out, ULONG *size) {
    ECCPUBLICKEYBLOB blob = {.BitLen = 256};
    ASK(18, NUMBER(container), sign ? "s" : "e", 1);
    if (code == SAR_OK && got == 64) {
        memcpy(blob.X + 32, answer, 32);
        memcpy(blob.Y + 32, answer + 32, 32);
    }
    return fill(code, (const BYTE *)&blob, sizeof blob, out, size);
}

ULONG SKF_ECCSignData(HANDLE container, BYTE *digest, ULONG size, ECCSIGNATUREBLOB *out) {
    ASK(19, NUMBER(container), digest, (uint32_t)size);
    if (code != SAR_OK || got != 64) return code;
    /* A vendor's library chats on standard output when it pleases. */
    printf("[skf] signed %u bytes\n", (unsigned)size);
    fflush(stdout);
    memset(out, 0, sizeof *out);
    memcpy(out->r + 32, answer, 32);
    memcpy(out->s + 32, answer + 32, 32);
    return SAR_OK;
}
