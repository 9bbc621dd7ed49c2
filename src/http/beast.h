// The parts of Boost that server and client share. Private to http; the only place that includes
// Beast.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "http/http.h"

namespace wattseal::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

// Certificate, key and, when named, the CA that the other side must be certified by. Throws Fault
// when a file cannot be used.
asio::ssl::context tls_context(asio::ssl::context::method method, const Tls& identity);

}  // namespace wattseal::http
