//! Reading CSV (RFC 4180): commas, double quotes, lines that end in LF or CRLF, a first line with names. Strict, and with places.

/// A value, and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The value without its quotes.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
}

/// A file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names in the first line.
    pub columns: Vec<String>,
    /// The other lines, without empty ones. They may have fewer or more cells than there are names.
    pub rows: Vec<Vec<Cell>>,
}

/// Line and column, both from 1, and what is wrong there.
pub type Fault = (usize, usize, String);

impl Table {
    /// Reads a file; a byte order mark at its beginning is passed over.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn read(text: &str) -> Result<Self, Fault> {
        let mut lines = rows(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        if lines.is_empty() {
            return Err((1, 1, "the file is empty; its first line names the columns".to_owned()));
        }
        let head = lines.remove(0);
        let mut columns: Vec<String> = Vec::with_capacity(head.len());
        for (place, cell) in head.into_iter().enumerate() {
            let name = cell.text.trim().to_ascii_lowercase();
            if name.is_empty() || columns.contains(&name) {
                let problem = if name.is_empty() { "the column has no name" } else { "the column stands there twice" };
                return Err((cell.line, place + 1, problem.to_owned()));
            }
            columns.push(name);
        }
        Ok(Self { columns, rows: lines })
    }
}

fn rows(text: &str) -> Result<Vec<Vec<Cell>>, Fault> {
    let mut rows = Vec::new();
    let mut row: Vec<Cell> = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let began = line;
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut cell = String::new();
        if quoted {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => cell.push('"'),
                    Some('"') => break,
                    Some(c) => {
                        line += usize::from(c == '\n');
                        cell.push(c);
                    }
                    None => return Err((began, row.len() + 1, "the quotes are not closed".to_owned())),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '\n' | '\r')) {
                if c == '"' {
                    return Err((line, row.len() + 1, "a quote stands inside a value without quotes around it".to_owned()));
                }
                cell.push(c);
            }
        }
        row.push(Cell { text: cell, line: began });
        match chars.next() {
            Some(',') => {
                // A comma at the end of the file is followed by one more value, which is empty.
                if chars.peek().is_none() {
                    row.push(Cell { text: String::new(), line });
                }
                continue;
            }
            Some('\r') if chars.next_if_eq(&'\n').is_some() => {}
            Some('\n') | None => {}
            Some(_) => {
                return Err((line, row.len(), "after closing quotes only a comma or the end of the line may follow".to_owned()));
            }
        }
        line += 1;
        let whole = std::mem::take(&mut row);
        // A line without anything on it is none.
        if whole.len() > 1 || whole.first().is_some_and(|cell| !cell.text.is_empty() || quoted) {
            rows.push(whole);
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let table = Table::read(text).unwrap();
        table.rows.into_iter().map(|row| row.into_iter().map(|cell| cell.text).collect()).collect()
    }

    #[test]
    fn rfc4180_quotes_commas_and_line_ends() {
        assert_eq!(texts("a,b\r\n1,2\r\n"), [["1", "2"]]);
        assert_eq!(texts("\u{feff}a,b\n\n\"x, \"\"y\"\"\",\"two\nlines\"\n3,"), [["x, \"y\"", "two\nlines"], ["3", ""]]);
        assert_eq!(Table::read(" Name ,E-Mail\n").unwrap().columns, ["name", "e-mail"]);
        let table = Table::read("a,b\n\"1\n2\",3\n4,5\n").unwrap();
        assert_eq!((table.rows[0][1].line, table.rows[1][0].line), (3, 4));
    }

    #[test]
    fn what_is_odd_is_told_with_its_place() {
        for (text, place) in [
            ("", (1, 1)),
            ("a,a\n", (1, 2)),
            ("a,\n", (1, 2)),
            ("a,b\n1,\"2", (2, 2)),
            ("a,b\n1,x\"y\n", (2, 2)),
            ("a,b\n\"1\"x,2\n", (2, 1)),
        ] {
            let (line, column, _) = Table::read(text).unwrap_err();
            assert_eq!((line, column), place, "{text:?}");
        }
    }
}
