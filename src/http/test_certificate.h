#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace carat::http {

// A certificate for localhost that signs itself, and its key, as files that are removed with this object.
class TestCertificate {
 public:
  TestCertificate() {
    static int count = 0;
    const std::string stem =
        testing::TempDir() + "carat_http_" + std::to_string(::getpid()) + "_" + std::to_string(count++);
    path_ = stem + ".pem";
    key_path_ = stem + ".key";
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(path_.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_path_.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~TestCertificate() {
    std::filesystem::remove(path_);
    std::filesystem::remove(key_path_);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  const std::string& path() const { return path_; }
  const std::string& key_path() const { return key_path_; }

  // A server's end that shows it.
  void use_in(SSL_CTX* context) const {
    SSL_CTX_use_certificate_file(context, path_.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, key_path_.c_str(), SSL_FILETYPE_PEM);
  }

 private:
  std::string path_;
  std::string key_path_;
};

}  // namespace carat::http
