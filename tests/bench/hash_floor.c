/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a drift pass: open, read and hash every file of a folder, and nothing else. hash_floor DIR */
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

static int hash(int folder, const char *name, unsigned char digest[32])
{
    static unsigned char bytes[1 << 16];
    unsigned int size = 32;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, bytes, sizeof(bytes));
    close(fd);
    return fd >= 0 && length >= 0 && EVP_Digest(bytes, (size_t)length, digest, &size, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned char digest[32];
    size_t count = 0;
    if (!folder)
        return 2;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        if (hash(dirfd(folder), entry->d_name, digest) < 0)
            return 1;
        count++;
    }
    closedir(folder);
    printf("%zu\n", count);
    return 0;
}
