set_yaml() {
  { cat; echo; } | awk '
    BEGIN {
      path = ARGV[1]; value = ARGV[2]; ARGC = 1
      gsub(/\\\./, "\001", path); depth = split(path, key, ".")
      for (d in key) gsub(/\001/, ".", key[d])
    }
    { line[NR] = $0; c = match($0, /[^ ]/) - 1; s = substr($0, c + 1) " " }
    /\r$/ { bad = 1 }
    c < 0 || /^---/ { next }
    /^ *#/ { for (j = 0; j <= m; j++) if (c > col[j]) last[j] = NR; next }
    {
      while (m && (c < col[m] || c == col[m] && s !~ /^[]}-] /)) m--
      if (!(m in child)) { child[m] = c; if (s !~ /: / || s ~ /^([-?] |[[{&*!|>%])/) odd[m] = 1 }
      if (c == child[m] && s !~ /^[]}-] /) kids[m]++
      name = key[m + 1]; gsub(/^"|"$/, "", name)
      for (n = 0; n < 3 && m == best && c == child[m]; n++) {
        q = n ? substr("\"\047", n, 1) : ""
        if (index(s, q name q ": ") != 1) continue
        best = ++m; at[m] = NR; col[m] = c; w[m] = c + length(q name q) + 1; break
      }
      for (j = 0; j <= m; j++) last[j] = NR
    }
    END {
      b = best; from = at[b]; to = last[b]; text = substr(line[from], 1, w[b])
      note = rest = substr(line[from], w[b] + 1); sub(/^ *("[^"]*"|\047[^\047]*\047)/, "", note)
      note = note !~ /^ *[[{|>]/ && match(note, / #/) ? substr(note, RSTART) : ""
      if (bad || b < depth && odd[b] || rest ~ /^ *[&*!]/ || b && b < depth && rest !~ /^ *([{] *[}] *)?(#.*)?$/) {
        print "set_yaml: not in block style, change " ARGV[1] " by hand" > "/dev/stderr"
        from = NR + 1; to = NR
      } else if (b < depth && value == "") { from = NR + 1; to = NR }
      else if (b < depth) {
        if (!b && !to) to = line[NR] == "" ? NR - 1 : NR
        if (b) line[from] = text note
        from = to + 1; text = ""; c = b in child ? child[b] : b ? col[b] + 2 : 0
        for (d = b + 1; d <= depth; d++) { text = text sprintf("%" c "s", "") key[d] (d < depth ? ":\n" : ": " value); c += 2 }
        if (to == NR) line[++NR] = ""
      } else if (value != "") text = text " " value note
      else if (b == 1 || kids[b - 1] > 1) text = ""
      else { from = at[--b]; text = substr(line[from], 1, w[b]) " {}" substr(line[from], w[b] + 1) }
      for (i = 1; i < from && i <= NR; i++) printf "%s%s", line[i], i < NR ? "\n" : ""
      if (text != "" && from <= NR) printf "%s%s", text, to < NR ? "\n" : ""
      for (i = to + 1; i <= NR; i++) printf "%s%s", line[i], i < NR ? "\n" : ""
    }' "$1" "$2"
}
