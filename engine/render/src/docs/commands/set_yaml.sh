# set_yaml FILE PATH VALUE sets one key of a YAML file and leaves every other line as it is; an empty VALUE removes the
# key. It reads block style with two blanks a level. What it cannot read it refuses, and the file stays as it was.
set_yaml() {
  edited=$(path=$2 value=$3 awk '
    function keep(text) { out = out text "\n" }
    function add(    i) {
      for (i = found + 1; i <= n && value != ""; i++)
        keep(substr(blanks, 1, 2 * i - 2) key[i] ":" (i < n ? "" : " " value note))
      done = 1
    }
    BEGIN {
      path = ENVIRON["path"]; value = ENVIRON["value"]; blanks = sprintf("%99s", ""); below = 1
      gsub(/\\[.]/, "\001", path); n = split(path, key, ".")       # \. is no end of a key
      for (i in key) gsub(/\001/, ".", key[i])
    }
    old && /^ *$/ { gap = gap "\n"; next }             # kept if the old value ends before it
    { column = match($0, /[^ ]/) - 1 }
    old && /^ *#/ && column > 2 * n - 2 { gap = ""; next }
    { out = out (old && column > 2 * n - 2 ? "" : gap); gap = "" }
    /^(--- *| *(#.*)?)$/ { keep($0); next }
    {
      text = substr($0, column + 1)
      item = text ~ /^-( |$)/
      if (item) column++                              # it belongs to the key above it, even right below
      if (old && column > 2 * n - 2) next             # the rest of the old value
      old = 0
      if (below && (item || column > 2 * found)) odd = NR
      below = 0
      if (!done && column < 2 * found) add()          # the mapping ends, and the key was not in it
      if (!done && column == 2 * found) {
        quote = substr(text, 1, 1)                    # a key may be written in quotes
        if (quote ~ /["\047]/) { here = substr(text, 2); here = substr(here, 1, index(here, quote) - 1); cut = length(here) + 3 }
        else { cut = match(text, / *:( |$)/); here = substr(text, 1, cut - 1) }
        rest = substr(text, cut)
        name = key[found + 1]; gsub(/^"|"$/, "", name)
        if (here == name && rest ~ /^ *:( |$)/) {
          if (found + 1 == n) {
            if (rest ~ /^ *: +[^] "\047#&*!|>{}[][^#]* #/) note = substr(rest, match(rest, / +#/))
            add(); old = 1; next
          }
          if (rest !~ /^ *: *([{] *[}]|~|null)? *(#.*)?$/) odd = NR
          if (value != "" && rest ~ /[{}~]|null/) $0 = substr(blanks, 1, column) key[found + 1] ":"
          found++
          below = 1
        } else if (text ~ /^[?&*!|>{[-]/ || rest !~ /^ *:( |$)/) odd = NR
      }
      if (/[\r\t]/) odd = NR
      keep($0)
    }
    END {
      out = out gap
      if (!done) add()
      if (odd) print "set_yaml: line " odd " is in a style that it does not read: edit it by hand" > "/dev/stderr"
      else printf "%s", out
      exit odd > 0
    }' "$1") && printf '%s\n' "$edited" > "$1"
}
