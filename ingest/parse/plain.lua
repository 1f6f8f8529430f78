-- Shapes pandoc's document so that its Markdown keeps everything that can be read:
-- title, authors and abstract stand in the text; a table is always a pipe table;
-- an image is its description.

local function one_paragraph(blocks)
  return { pandoc.Plain(pandoc.utils.blocks_to_inlines(blocks, { pandoc.Str(";"), pandoc.Space() })) }
end

local function no_breaks(inlines)
  return inlines:walk {
    LineBreak = function() return pandoc.Space() end,
    SoftBreak = function() return pandoc.Space() end,
    Note = function(note)
      local inside = pandoc.utils.blocks_to_inlines(note.content)
      return { pandoc.Space(), pandoc.Str("("), pandoc.Span(inside), pandoc.Str(")") }
    end,
  }
end

local function flatten_rows(rows)
  for _, row in ipairs(rows) do
    for _, cell in ipairs(row.cells) do
      local plain = one_paragraph(cell.contents)
      plain[1].content = no_breaks(plain[1].content)
      cell.contents = plain
    end
  end
end

-- Column widths would make pandoc wrap or refuse a pipe table.
function Table(tbl)
  flatten_rows(tbl.head.rows)
  for _, body in ipairs(tbl.bodies) do
    flatten_rows(body.head)
    flatten_rows(body.body)
  end
  flatten_rows(tbl.foot.rows)
  for i, spec in ipairs(tbl.colspecs) do
    tbl.colspecs[i] = { spec[1], nil }
  end
  return tbl
end

-- Addresses within a wiki or folder say nothing outside of it.
function Link(link)
  if not (link.target:match("^https?://") or link.target:match("^mailto:")) then return link.content end
end

-- A displayed equation stands in a paragraph of its own.
function Para(para)
  local out, current = pandoc.Blocks {}, pandoc.Inlines {}
  local function close()
    if pandoc.utils.stringify(current):match("%S") or current:find_if(function(i) return i.t == "Math" end) then
      out:insert(pandoc.Para(current))
    end
    current = pandoc.Inlines {}
  end
  for _, inline in ipairs(para.content) do
    if inline.t == "Math" and inline.mathtype == "DisplayMath" then
      close()
      out:insert(pandoc.Para { inline })
    elseif #current > 0 or (inline.t ~= "Space" and inline.t ~= "SoftBreak") then
      current:insert(inline)
    end
  end
  close()
  return out
end

function Image(image)
  return image.caption
end

function Figure(figure)
  local blocks = figure.content
  blocks:extend(figure.caption.long or {})
  return blocks
end

local function as_blocks(value)
  local kind = pandoc.utils.type(value)
  if kind == "Blocks" then return value end
  if kind == "Inlines" then return pandoc.Blocks { pandoc.Para(value) } end
  return pandoc.Blocks { pandoc.Para(pandoc.utils.stringify(value)) }
end

local function authors(meta)
  local names = {}
  local list = meta.author
  if not list then return nil end
  if pandoc.utils.type(list) ~= "List" then list = { list } end
  for _, author in ipairs(list) do
    local name = pandoc.utils.stringify(author):gsub("%s+", " ")
    if name ~= "" then names[#names + 1] = name end
  end
  return #names > 0 and table.concat(names, ", ") or nil
end

function Pandoc(doc)
  local front = pandoc.Blocks {}
  local meta = doc.meta
  if meta.title and pandoc.utils.stringify(meta.title) ~= "" then
    front:insert(pandoc.Header(1, no_breaks(pandoc.utils.blocks_to_inlines(as_blocks(meta.title)))))
  end
  local names = authors(meta)
  if names then front:insert(pandoc.Para(names)) end
  if meta.abstract and pandoc.utils.stringify(meta.abstract) ~= "" then
    front:insert(pandoc.Header(1, "Abstract"))
    front:extend(as_blocks(meta.abstract))
  end
  front:extend(doc.blocks)
  doc.blocks = front
  return doc
end
