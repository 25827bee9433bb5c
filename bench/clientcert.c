/* Shows a client certificate for a program that cannot (wrk), and says what was negotiated.
 *
 * LD_PRELOADed before OpenSSL. BENCH_CERTIFICATE and BENCH_KEY name PEM files; BENCH_CIPHER is the one TLS 1.3 suite
 * offered, so that every server speaks the same; the first handshake's version, suite and whether a certificate was
 * at hand go to the file BENCH_TLS_LOG. The few OpenSSL functions are declared here, so that no headers are needed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
extern int SSL_CTX_use_certificate_chain_file(SSL_CTX *, const char *);
extern int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
extern int SSL_CTX_set_ciphersuites(SSL_CTX *, const char *);
extern const char *SSL_get_version(const SSL *);
extern const void *SSL_get_current_cipher(const SSL *);
extern const char *SSL_CIPHER_get_name(const void *);
extern void *SSL_get_certificate(const SSL *);

SSL_CTX *SSL_CTX_new(const void *method) {
    SSL_CTX *(*real)(const void *) = (SSL_CTX * (*)(const void *)) dlsym(RTLD_NEXT, "SSL_CTX_new");
    SSL_CTX *context = real(method);
    const char *certificate = getenv("BENCH_CERTIFICATE"), *key = getenv("BENCH_KEY"), *cipher = getenv("BENCH_CIPHER");
    if (context && cipher && SSL_CTX_set_ciphersuites(context, cipher) != 1) exit(3);
    if (context && certificate && key &&
        (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
         SSL_CTX_use_PrivateKey_file(context, key, 1 /* PEM */) != 1))
        exit(3);
    return context;
}

int SSL_connect(SSL *ssl) {
    static int said = 0;
    int (*real)(SSL *) = (int (*)(SSL *)) dlsym(RTLD_NEXT, "SSL_connect");
    int done = real(ssl);
    const char *path = getenv("BENCH_TLS_LOG");
    FILE *log = done == 1 && path && !said ? fopen(path, "w") : NULL;
    if (log) {
        said = 1;
        fprintf(log, "%s %s %s\n", SSL_get_version(ssl), SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)),
                SSL_get_certificate(ssl) ? "certificate" : "none");
        fclose(log);
    }
    return done;
}
