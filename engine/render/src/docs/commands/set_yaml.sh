set_yaml() {
  { cat; echo; } | awk '
    function out(s) { printf "%s%s", sep, s; sep = "\n" }
    BEGIN {
      path = ARGV[1]; value = ARGV[2]; ARGC = 1
      gsub(/\\\./, "\001", path); depth = split(path, key, ".")
      for (d in key) gsub(/\001/, ".", key[d])
    }
    { line[NR] = $0; c = match($0, /[^ ]/) - 1; s = substr($0, c + 1) " "; if (/\r$/) odd = 1 }
    c < 0 || /^---/ { next }
    /^ *#/ { for (j = 0; j <= m; j++) if (c > col[j]) last[j] = NR; next }
    {
      while (m && (c < col[m] || c == col[m] && s !~ /^[]}-] /)) m--
      if (!(m in child)) {
        child[m] = c; list[m] = s !~ /: / || s ~ /^([-?] |[[{&*!|>%])/
        if (m && substr(line[at[m]], len[m] + 1) !~ /^ *(#.*)?$/) list[m] = 1
      }
      if (c == child[m] && s !~ /^[]}-] /) kids[m]++
      name = key[m + 1]; gsub(/^"|"$/, "", name)
      for (n = 0; n < 3 && m == best && c == child[m] && !list[m]; n++) {
        k = substr("\"\047", n, n > 0); k = k name k ":"
        if (index(s, k " ") == 1) { best = ++m; at[m] = NR; col[m] = c; len[m] = c + length(k); break }
      }
      for (j = 0; j <= m; j++) last[j] = NR
    }
    END {
      b = best + 0; from = to = NR + 1; head = substr(line[at[b]], 1, len[b]); rest = substr(line[at[b]], len[b] + 1)
      note = rest; sub(/^ *("[^"]*"|\047[^\047]*\047)/, "", note)
      note = note !~ /^ *[[{|>]/ && match(note, / #/) ? substr(note, RSTART) : ""
      if (b < depth && value != "" && (list[b] || b && rest !~ /^ *(([{] *[}]|~|null) *)?(#.*)?$/) || rest ~ /^ *[&*!]/) odd = 1
      if (odd) print "set_yaml: not in block style, change " ARGV[1] " by hand" > "/dev/stderr"
      else if (b == depth && value != "") { from = at[b]; to = last[b]; new = head " " value note }
      else if (b == depth) {
        from = at[b]; to = last[b]
        if (b > 1 && kids[b - 1] == 1) { from = at[--b]; new = substr(line[from], 1, len[b]) " {}" substr(line[from], len[b] + 1) }
      } else if (value != "") {
        if (b) line[at[b]] = head note
        to = b || last[0] ? last[b] : NR - (line[NR] == ""); from = to + 1
        c = b in child ? child[b] : b ? col[b] + 2 : 0
        for (d = b + 1; d <= depth; d++) {
          new = new sprintf("%" c + 2 * (d - b - 1) "s", "") key[d] (d < depth ? ":\n" : ": " value)
        }
      }
      for (i = 1; i <= NR + 1; i++) {
        if (i == from && new != "") out(new)
        if (i <= NR && (i < from || i > to)) out(line[i])
      }
    }' "$1" "$2"
}
