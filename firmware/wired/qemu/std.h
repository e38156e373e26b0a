// As much of the C++ standard library as the tests of firmware/host use, for QEMU:
// Debian's compiler for the lx106 has none. .ci/firmware makes a file <string>,
// <vector> and so on that includes this one. Memory is never given back; a test ends soon.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

inline void *operator new(size_t, void *place) noexcept { return place; }

namespace std {

using ::FILE;
using ::abort;
using ::atoi;
using ::exit;
using ::fprintf;
using ::memcmp;
using ::memcpy;
using ::memmove;
using ::memset;
using ::printf;
using ::size_t;
using ::snprintf;
using ::strchr;
using ::strcmp;
using ::strlen;
using ::strncmp;
using ::strstr;
using ::strtol;
using ::strtoul;

template <typename T>
struct remove_reference {
  using type = T;
};
template <typename T>
struct remove_reference<T &> {
  using type = T;
};
template <typename T>
typename remove_reference<T>::type &&move(T &&v) {
  return static_cast<typename remove_reference<T>::type &&>(v);
}

template <typename T>
const T &min(const T &a, const T &b) {
  return b < a ? b : a;
}
template <typename T>
const T &max(const T &a, const T &b) {
  return a < b ? b : a;
}

template <typename T>
class initializer_list {
 public:
  constexpr initializer_list() = default;
  constexpr size_t size() const { return size_; }
  constexpr const T *begin() const { return from_; }
  constexpr const T *end() const { return from_ + size_; }

 private:
  // The compiler makes it of these two.
  constexpr initializer_list(const T *from, size_t size) : from_(from), size_(size) {}
  const T *from_ = nullptr;
  size_t size_ = 0;
};

// vector is deque too.
template <typename T>
class vector {
 public:
  vector() = default;
  explicit vector(size_t n) { resize(n); }
  vector(size_t n, const T &v) { assign(n, v); }
  vector(initializer_list<T> l) { append(l.begin(), l.end()); }
  template <typename I>
  vector(I from, I to) {
    append(from, to);
  }
  vector(const vector &o) { append(o.begin(), o.end()); }
  vector(vector &&o) noexcept { swap(o); }
  vector &operator=(vector o) {
    swap(o);
    return *this;
  }
  ~vector() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T *data() { return from_; }
  const T *data() const { return from_; }
  T *begin() { return from_; }
  T *end() { return from_ + size_; }
  const T *begin() const { return from_; }
  const T *end() const { return from_ + size_; }
  T &operator[](size_t i) { return at(i); }
  const T &operator[](size_t i) const { return const_cast<vector *>(this)->at(i); }
  T &at(size_t i) {
    if (i >= size_) abort();
    return from_[i];
  }
  T &front() { return at(0); }
  T &back() { return at(size_ - 1); }
  const T &front() const { return (*this)[0]; }
  const T &back() const { return (*this)[size_ - 1]; }
  void push_back(T v) {
    reserve(size_ + 1);
    new (from_ + size_++) T(std::move(v));
  }
  template <typename... A>
  T &emplace_back(A &&...a) {
    push_back(T(static_cast<A &&>(a)...));
    return back();
  }
  void pop_back() { from_[--size_].~T(); }
  void pop_front() { erase(begin()); }
  void erase(T *at) { erase(at, at + 1); }
  void erase(T *from, T *to) {
    T *keep = from;
    for (; to != end(); keep++, to++) *keep = std::move(*to);
    while (end() != keep) pop_back();
  }
  void clear() {
    while (size_ > 0) pop_back();
  }
  void resize(size_t n) {
    while (size_ > n) pop_back();
    reserve(n);
    while (size_ < n) new (from_ + size_++) T();
  }
  void assign(size_t n, const T &v) {
    clear();
    reserve(n);
    while (size_ < n) push_back(v);
  }
  template <typename I>
  void assign(I from, I to) {
    clear();
    append(from, to);
  }
  template <typename I>
  void insert(T *at, I from, I to) {
    vector rest(at, end());
    while (end() != at) pop_back();
    append(from, to);
    append(rest.begin(), rest.end());
  }
  void shrink_to_fit() {}
  void reserve(size_t n) {
    if (n <= room_) return;
    size_t room = n < 2 * room_ ? 2 * room_ : n < 8 ? 8 : n;
    T *to = static_cast<T *>(malloc(room * sizeof(T)));
    for (size_t i = 0; i < size_; i++) {
      new (to + i) T(std::move(from_[i]));
      from_[i].~T();
    }
    from_ = to;
    room_ = room;
  }
  void swap(vector &o) noexcept {
    T *from = from_;
    size_t size = size_, room = room_;
    from_ = o.from_, size_ = o.size_, room_ = o.room_;
    o.from_ = from, o.size_ = size, o.room_ = room;
  }
  friend bool operator==(const vector &a, const vector &b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; i++)
      if (!(a.from_[i] == b.from_[i])) return false;
    return true;
  }
  friend bool operator!=(const vector &a, const vector &b) { return !(a == b); }

 private:
  template <typename I>
  void append(I from, I to) {
    for (; from != to; ++from) push_back(static_cast<T>(*from));
  }

  T *from_ = nullptr;
  size_t size_ = 0, room_ = 0;
};

template <typename T>
using deque = vector<T>;

class string {
 public:
  static constexpr size_t npos = SIZE_MAX;
  string() = default;
  string(const char *s) : string(s, strlen(s)) {}
  string(const char *s, size_t n) { append(s, n); }
  string(size_t n, char c) {
    while (n-- > 0) push_back(c);
  }
  template <typename I>
  string(I from, I to) {
    for (; from != to; ++from) push_back(static_cast<char>(*from));
  }

  size_t size() const { return v_.size(); }
  size_t length() const { return v_.size(); }
  bool empty() const { return v_.empty(); }
  const char *c_str() const {
    string *own = const_cast<string *>(this);
    own->v_.reserve(size() + 1);
    own->v_.data()[size()] = 0;
    return v_.data();
  }
  const char *data() const { return c_str(); }
  char *data() { return const_cast<char *>(c_str()); }
  char *begin() { return v_.begin(); }
  char *end() { return v_.end(); }
  const char *begin() const { return v_.begin(); }
  const char *end() const { return v_.end(); }
  char &operator[](size_t i) { return i == size() ? data()[i] : v_[i]; }
  char operator[](size_t i) const { return i == size() ? 0 : v_[i]; }
  char &back() { return v_.back(); }
  char back() const { return v_.back(); }
  void push_back(char c) { v_.push_back(c); }
  void pop_back() { v_.pop_back(); }
  void clear() { v_.clear(); }
  void resize(size_t n) { v_.resize(n); }
  void erase(size_t from) { resize(from); }
  string &append(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) push_back(s[i]);
    return *this;
  }
  string &operator+=(const string &o) { return append(o.v_.data(), o.size()); }
  string &operator+=(char c) {
    push_back(c);
    return *this;
  }
  string substr(size_t from, size_t n = npos) const {
    if (from > size()) abort();
    return string(v_.data() + from, min(n, size() - from));
  }
  size_t find(const string &what, size_t from = 0) const {
    for (; from <= size() && what.size() <= size() - from; from++)
      if (memcmp(v_.data() + from, what.v_.data(), what.size()) == 0) return from;
    return npos;
  }
  size_t find(char c, size_t from = 0) const { return find(string(1, c), from); }
  size_t find_last_not_of(char c) const {
    for (size_t n = size(); n > 0; n--)
      if (v_[n - 1] != c) return n - 1;
    return npos;
  }
  friend string operator+(string a, const string &b) { return a += b; }
  friend string operator+(string a, char b) { return a += b; }
  friend bool operator==(const string &a, const string &b) { return a.v_ == b.v_; }
  friend bool operator!=(const string &a, const string &b) { return !(a == b); }

 private:
  vector<char> v_;
};

inline string to_string(long v) {
  char text[12];
  snprintf(text, sizeof text, "%ld", v);
  return text;
}
inline string to_string(unsigned long v) {
  char text[12];
  snprintf(text, sizeof text, "%lu", v);
  return text;
}
inline string to_string(int v) { return to_string(static_cast<long>(v)); }
inline string to_string(unsigned v) { return to_string(static_cast<unsigned long>(v)); }

class istream {
 public:
  explicit istream(string s) : text_(std::move(s)) {}
  explicit operator bool() const { return !failed_; }
  istream &operator>>(string &to) {
    to.clear();
    while (at_ < text_.size() && space(text_[at_])) at_++;
    while (at_ < text_.size() && !space(text_[at_])) to += text_[at_++];
    failed_ = failed_ || to.empty();
    return *this;
  }
  template <typename T>
  istream &operator>>(T &to) {
    string word;
    *this >> word;
    to = static_cast<T>(word[0] == '-' ? static_cast<unsigned long>(strtol(word.c_str(), nullptr, 10)) : strtoul(word.c_str(), nullptr, 10));
    return *this;
  }
  friend istream &getline(istream &in, string &to) {
    to.clear();
    in.failed_ = in.failed_ || in.at_ == in.text_.size();
    while (in.at_ < in.text_.size()) {
      char c = in.text_[in.at_++];
      if (c == '\n') break;
      to += c;
    }
    return in;
  }

 protected:
  bool failed_ = false;

 private:
  static bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  string text_;
  size_t at_ = 0;
};

istream &getline(istream &in, string &to);

struct istringstream : istream {
  explicit istringstream(string s) : istream(std::move(s)) {}
};

// contents is the whole of a file; ok says whether there is one.
string contents(const char *path, bool *ok);

struct ifstream : istream {
  explicit ifstream(const char *path, bool ok = false) : istream(contents(path, &ok)) { failed_ = !ok; }
  explicit ifstream(const string &path) : ifstream(path.c_str()) {}
};

template <typename T>
class unique_ptr {
 public:
  unique_ptr() = default;
  explicit unique_ptr(T *p) : p_(p) {}
  unique_ptr(unique_ptr &&o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  unique_ptr &operator=(unique_ptr &&o) noexcept {
    reset(o.p_);
    o.p_ = nullptr;
    return *this;
  }
  ~unique_ptr() { reset(); }
  void reset(T *p = nullptr) {
    if (p_ != nullptr) p_->~T();
    p_ = p;
  }
  T *get() const { return p_; }
  T *operator->() const { return p_; }
  T &operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T *p_ = nullptr;
};

template <typename T, typename... A>
unique_ptr<T> make_unique(A &&...a) {
  return unique_ptr<T>(new (malloc(sizeof(T))) T(static_cast<A &&>(a)...));
}

}  // namespace std
